"""The broker's side: the only importer of paho."""
