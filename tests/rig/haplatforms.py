"""Which keys, units and classes Home Assistant's MQTT platforms take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Keys of any entity; those of a whole device that all its components inherit.
SHARED = _keys(
    "availability availability_mode availability_template availability_topic payload_available "
    "payload_not_available qos encoding"
)
ENTITY = SHARED | _keys(
    "device origin platform unique_id name icon entity_category entity_picture enabled_by_default "
    "visible_by_default default_entity_id json_attributes_topic json_attributes_template "
    "message_expiry_interval"
)
DEVICE = _keys(
    "identifiers connections name manufacturer model model_id hw_version sw_version serial_number "
    "via_device suggested_area configuration_url"
)
WHOLE = SHARED | {"device", "origin", "components", "state_topic", "command_topic"}


class Platform(Struct, frozen=True):
    """Which keys a platform wants and takes, beside those of any entity."""

    required: frozenset[str]
    optional: frozenset[str]
    device_classes: frozenset[str] = frozenset()


# Units and state classes that a sensor's device class allows; None: no unit.
CLASSES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "temperature": (_keys("°C °F K"), _keys("measurement")),
    "duration": (_keys("d h min s ms μs"), _keys("measurement total total_increasing")),
    "data_size": (
        _keys("bit kbit Mbit Gbit B kB MB GB TB PB KiB MiB GiB TiB PiB"),
        _keys("measurement total total_increasing"),
    ),
    "data_rate": (_keys("bit/s kbit/s Mbit/s B/s kB/s MB/s KiB/s MiB/s"), _keys("measurement")),
    "frequency": (_keys("mHz Hz kHz MHz GHz"), _keys("measurement")),
    "power": (_keys("mW W kW MW GW TW"), _keys("measurement")),
    "energy": (_keys("J kJ MJ GJ mWh Wh kWh MWh GWh TWh"), _keys("total total_increasing")),
    "voltage": (_keys("μV mV V kV MV"), _keys("measurement")),
    "enum": (frozenset(), frozenset()),
    "timestamp": (frozenset(), frozenset()),
}
STATE_CLASSES = _keys("measurement measurement_angle total total_increasing")
PLATFORMS: Mapping[str, Platform] = {
    "sensor": Platform(
        _keys("state_topic"),
        _keys(
            "device_class expire_after force_update last_reset_value_template options state_class "
            "suggested_display_precision unit_of_measurement value_template"
        ),
        frozenset(CLASSES),
    ),
    "binary_sensor": Platform(
        _keys("state_topic"),
        _keys(
            "device_class expire_after force_update off_delay payload_on payload_off value_template"
        ),
        _keys(
            "battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat "
            "light lock moisture motion moving occupancy opening plug power presence problem "
            "running safety smoke sound tamper update vibration window"
        ),
    ),
    "event": Platform(
        _keys("state_topic event_types"),
        _keys("device_class value_template"),
        _keys("button doorbell motion"),
    ),
    "notify": Platform(_keys("command_topic"), _keys("command_template retain")),
    "select": Platform(
        _keys("command_topic options"),
        _keys("command_template optimistic retain state_topic value_template"),
    ),
    "number": Platform(
        _keys("command_topic"),
        _keys(
            "command_template device_class max min mode optimistic payload_reset retain "
            "state_topic step unit_of_measurement value_template"
        ),
        frozenset(CLASSES) - {"enum", "timestamp"},
    ),
    "switch": Platform(
        _keys("command_topic"),
        _keys(
            "command_template device_class optimistic payload_off payload_on retain state_off "
            "state_on state_topic value_template"
        ),
        _keys("outlet switch"),
    ),
    "button": Platform(
        _keys("command_topic"),
        _keys("command_template device_class payload_press retain"),
        _keys("identify restart update"),
    ),
    "update": Platform(
        _keys("state_topic"),
        _keys(
            "command_topic device_class display_precision latest_version_template "
            "latest_version_topic payload_install release_summary release_url retain title "
            "value_template"
        ),
        _keys("firmware"),
    ),
}
UPDATE_KEYS = _keys(
    "installed_version latest_version title release_summary release_url entity_picture in_progress "
    "update_percentage"
)
