"""The entities of a Home Assistant integration; filled like `homeassistant_text`."""

from __future__ import annotations

SENSOR = '''"""The model's predictions, and its status. Made by @GENERATOR@."""

from __future__ import annotations

from typing import Any

from homeassistant.components.sensor import SensorEntity, SensorStateClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from . import model
from .entity import ModelEntity


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry, add: AddEntitiesCallback) -> None:
    """A sensor for each output, for the class and the score where there are any, and for the status."""
    runner = entry.runtime_data
    entities: list[SensorEntity] = [Prediction(runner, m, name) for m, name in enumerate(model.OUTPUTS)]
    if hasattr(model, "CLASSES"):
        entities.append(Word(runner, "label", "class"))
    if hasattr(model, "WATCHED_NAMES"):
        entities.append(Score(runner, "score", "score"))
    add([*entities, Status(runner, "status", "status")])


class Prediction(ModelEntity, SensorEntity):
    """One output."""

    _attr_state_class = SensorStateClass.MEASUREMENT

    def __init__(self, runner: Any, place: int, name: str) -> None:
        super().__init__(runner, f"output_{place}", name)
        self.place = place
        self._attr_native_unit_of_measurement = model.OUTPUT_UNITS[place] or None

    @property
    def native_value(self) -> float | None:
        """The prediction."""
        values = self.runner.result.get("values")
        return values[self.place] if values else None

    @property
    def extra_state_attributes(self) -> dict[str, Any]:
        """How far it is to be trusted."""
        result = self.runner.result
        return {"status": result.get("status"), "faults": result.get("faults", [])}


class Word(ModelEntity, SensorEntity):
    """The class."""

    @property
    def native_value(self) -> str | None:
        """What the model says in words."""
        return self.runner.result.get(self.key)


class Score(Word):
    """How far from normal operation."""

    _attr_state_class = SensorStateClass.MEASUREMENT


class Status(Word):
    """``ok``, ``warming up`` or ``degraded``."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    def extra_state_attributes(self) -> dict[str, Any]:
        """What is wrong with which reading."""
        return {"faults": self.runner.result.get("faults", [])}
'''
BINARY = '''"""The alarm of a detector. Made by @GENERATOR@."""

from __future__ import annotations

from typing import Any

from homeassistant.components.binary_sensor import BinarySensorDeviceClass, BinarySensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from .entity import ModelEntity


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry, add: AddEntitiesCallback) -> None:
    """One alarm."""
    add([Alarm(entry.runtime_data, "alarm", "alarm")])


class Alarm(ModelEntity, BinarySensorEntity):
    """On while the score is above the threshold."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    @property
    def is_on(self) -> bool | None:
        """Whether there is an alarm."""
        return self.runner.result.get("alarm")

    @property
    def extra_state_attributes(self) -> dict[str, Any]:
        """The sensors that cause it, with their share."""
        return {"shares": dict(self.runner.result.get("shares", []))}
'''
ENTITY = '''"""What all entities of the model share. Made by @GENERATOR@."""

from __future__ import annotations

from typing import Any

from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity

from . import model
from .const import DOMAIN, TITLE


class ModelEntity(Entity):
    """An entity that the runner tells of a new result."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, runner: Any, key: str, name: str) -> None:
        self.runner, self.key = runner, key
        self._attr_name = name
        self._attr_unique_id = f"{runner.entry.entry_id}_{key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, runner.entry.entry_id)}, name=TITLE, manufacturer="edge-lasso",
            sw_version=model.MODEL_HASH[:12], entry_type=DeviceEntryType.SERVICE,
        )

    @property
    def available(self) -> bool:
        """Whether there is a result."""
        return bool(self.runner.result)

    async def async_added_to_hass(self) -> None:
        """Listen."""
        self.runner.listeners.append(self.async_write_ha_state)
        self.async_on_remove(lambda: self.runner.listeners.remove(self.async_write_ha_state))
'''
