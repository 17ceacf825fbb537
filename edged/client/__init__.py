"""The verbs that speak to a running edged over the broker, as any other client would."""
