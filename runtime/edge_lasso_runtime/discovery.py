"""What Home Assistant is told of a model by MQTT discovery: a device, a sensor an output, a problem for an alarm."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

CLASSES = {"°C": "temperature", "°F": "temperature", "hPa": "pressure", "W": "power", "kW": "power", "µg/m³": "pm25"}
"""Units of which Home Assistant knows a class of device."""


def configs(model: Model, prefix: str, under: str = "homeassistant") -> list[tuple[str, str]]:
    """Topics and payloads, to publish retained.

    Parameters
    ----------
    model : Model
    prefix : str
        Where results are published: ``PREFIX/score``, ``PREFIX/alarm``, ``PREFIX/status``.
    under : str
        Home Assistant's own prefix.

    Notes
    -----
    https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
    """
    import json

    from .format import model_hash

    node = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-") else "_" for sign in prefix)
    device = {
        "identifiers": [f"edge-lasso-{node}"], "name": prefix.rpartition("/")[2] or prefix,
        "manufacturer": "edge-lasso", "model": "sparse linear model", "sw_version": model_hash(model)[:12],
    }  # fmt: skip
    common: dict[str, Any] = {
        "device": device,
        "availability_topic": f"{prefix}/status",
        "availability_template": "{{ 'offline' if value == 'offline' else 'online' }}",
        "json_attributes_topic": f"{prefix}/score",
    }

    def entry(kind: str, name: str, key: str, more: dict[str, Any]) -> tuple[str, str]:
        payload = {"name": name, "unique_id": f"edge-lasso-{node}-{key}", **common, **more}
        return f"{under}/{kind}/{node}/{key}/config", json.dumps(payload, ensure_ascii=False)

    detects = "detector/1" in model.sections
    entries = []
    if detects:
        problem = {"payload_on": "true", "payload_off": "false", "device_class": "problem"}
        entries.append(entry("binary_sensor", "Alarm", "alarm", {"state_topic": f"{prefix}/alarm", **problem}))
        shown = {"value_template": "{{ value_json.score }}", "state_class": "measurement"}
        entries.append(entry("sensor", "Score", "score", {"state_topic": f"{prefix}/score", **shown}))
    elif model.classes is not None:
        label = {"state_topic": f"{prefix}/score", "value_template": "{{ value_json.label }}"}
        entries.append(entry("sensor", "Class", "label", label))
    else:
        for i, output in enumerate(model.outputs):
            name = json.dumps(output.name)
            value: dict[str, Any] = {
                "state_topic": f"{prefix}/score", "value_template": f"{{{{ value_json['values'][{name}] }}}}",
                "state_class": "measurement",
            }  # fmt: skip
            if output.unit:
                value["unit_of_measurement"] = output.unit
                if output.unit in CLASSES:
                    value["device_class"] = CLASSES[output.unit]
            entries.append(entry("sensor", output.name, f"output{i}", value))
    status = {"state_topic": f"{prefix}/status", "entity_category": "diagnostic"}
    entries.append(entry("sensor", "Status", "status", status))
    return entries
