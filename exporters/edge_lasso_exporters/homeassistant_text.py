"""The files of a Home Assistant integration, around the model's own file; filled with `str.replace` of ``@WORDS@``."""

INIT = '''"""@TITLE@: a model that runs inside Home Assistant. Made by @GENERATOR@."""

from __future__ import annotations

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from .const import PLATFORMS
from .runner import Runner


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Start the model with the entities that were chosen."""
    runner = entry.runtime_data = Runner(hass, entry)
    await runner.async_load()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(runner.start())
    entry.async_on_unload(entry.add_update_listener(_reload))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Stop, and keep what the model remembers."""
    await entry.runtime_data.async_save()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Forget what the model remembered."""
    await Runner(hass, entry).store.async_remove()


async def _reload(hass: HomeAssistant, entry: ConfigEntry) -> None:
    await hass.config_entries.async_reload(entry.entry_id)
'''
CONST = '''"""Names of this integration. Made by @GENERATOR@."""

from homeassistant.const import Platform

DOMAIN = @DOMAIN@
TITLE = @TITLE_TEXT@
READINGS = @READINGS@  # what the model reads
PERIOD, MAX_AGE = "period", "max_age"  # seconds
DEFAULT_PERIOD = @PERIOD@  # between rows of a model that remembers; 0: when a source changes
PLATFORMS = [Platform.SENSOR@MORE@]


def source(place: int) -> str:
    """The key of the entity that a reading comes from."""
    return f"source_{place}"
'''
RUNNER = '''"""Reads the entities, runs the model, tells the sensors. Made by @GENERATOR@."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_time_interval
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from . import model
from .const import DEFAULT_PERIOD, DOMAIN, MAX_AGE, PERIOD, READINGS, source

STEPS = hasattr(model, "step")
WORDS = getattr(model, "CATEGORIES", {})
SWITCH = {"on": 1.0, "off": 0.0}
SAVE_AFTER = 60


class Runner:
    """One running model."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self.hass, self.entry = hass, entry
        self.store: Store[dict[str, Any]] = Store(hass, 1, f"{DOMAIN}.{entry.entry_id}")
        self.settings = {**entry.data, **entry.options}
        self.state = model.start() if STEPS else None
        self.row: dict[str, Any] = {}
        self.result: dict[str, Any] = {}
        self.listeners: list[Callable[[], None]] = []

    async def async_load(self) -> None:
        """What the model remembered before Home Assistant was restarted, if it is the same model."""
        saved = await self.store.async_load() if STEPS else None
        if saved and saved.get("model_hash") == model.MODEL_HASH:
            self.state = _from_json(saved["state"])

    async def async_save(self) -> None:
        """Keep what the model remembers."""
        if STEPS:
            await self.store.async_save(self._saved())

    def _saved(self) -> dict[str, Any]:
        return {"model_hash": model.MODEL_HASH, "state": _to_json(self.state)}

    def start(self) -> Callable[[], None]:
        """Run now, and then on each change or each period; returns what ends that."""
        period = self.settings.get(PERIOD, DEFAULT_PERIOD)
        if period:
            stop = async_track_time_interval(self.hass, self._tick, timedelta(seconds=period))
        else:
            entities = [self.settings[source(k)] for k in range(len(READINGS)) if source(k) in self.settings]
            stop = async_track_state_change_event(self.hass, entities, self._tick)
        if not (STEPS and period):  # a model that remembers takes one row a period
            self.run()
        return stop

    @callback
    def _tick(self, *_: Any) -> None:
        self.run()

    @callback
    def run(self) -> None:
        """Take in what the entities say now."""
        self.row = {name: self.reading(k, name) for k, name in enumerate(READINGS)}
        if STEPS:
            found = model.step(self.state, self.row)
            status = found["status"]
            faults = [f"{name} {fault}" for name, fault in found["faults"].items()]
            self.result = {**found, "values": _listed(found["value"]), "status": status, "faults": faults}
            self.store.async_delay_save(self._saved, SAVE_AFTER)
        else:
            value, status = model.predict_row(self.row)
            head, _, wrong = status.partition(": ")
            faults = wrong.split(", ") if wrong else []
            self.result = {"values": _listed(value), "status": head, "faults": faults}
            if hasattr(model, "label"):
                self.result["label"] = model.label(model.check(self._listed_row())[0])
        for listener in self.listeners:
            listener()

    def _listed_row(self) -> list[Any]:
        words = {name: list(known) for name, known in WORDS.items()}
        return [
            words[name].index(value) if name in words and value in words[name] else None if name in words else value
            for name, value in ((name, self.row.get(name)) for name in model.FEATURES)
        ]

    def reading(self, place: int, name: str) -> Any:
        """What an entity says; None where it says nothing, or has said nothing for too long."""
        state = self.hass.states.get(self.settings.get(source(place), ""))
        if state is None or state.state in ("unknown", "unavailable", ""):
            return None
        age = (dt_util.utcnow() - state.last_reported).total_seconds()
        if self.settings.get(MAX_AGE) and age > self.settings[MAX_AGE]:
            return None
        if name in WORDS:
            return state.state
        try:
            return SWITCH[state.state] if state.state in SWITCH else float(state.state)
        except ValueError:
            return None


def _listed(value: Any) -> list[float]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(each) for each in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _from_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_from_json(each) for each in value]
    return math.nan if value == "nan" else value
'''
FLOW = '''"""Which entity each reading comes from. Made by @GENERATOR@."""

from __future__ import annotations

from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult, OptionsFlow
from homeassistant.core import callback
from homeassistant.helpers import selector

from .const import DEFAULT_PERIOD, DOMAIN, MAX_AGE, PERIOD, READINGS, TITLE, source

DOMAINS = ["sensor", "binary_sensor", "input_number", "input_boolean", "input_select", "number", "select", "switch"]
SECONDS = selector.NumberSelector(
    selector.NumberSelectorConfig(min=0, max=86400, mode=selector.NumberSelectorMode.BOX, unit_of_measurement="s")
)


def form(known: dict[str, Any]) -> vol.Schema:
    """A field for each reading; one that stays empty is a missing reading."""
    entity = selector.EntitySelector(selector.EntitySelectorConfig(domain=DOMAINS))
    fields: dict[Any, Any] = {
        vol.Optional(source(k), description={"suggested_value": known.get(source(k))}): entity
        for k in range(len(READINGS))
    }
    fields[vol.Required(PERIOD, default=known.get(PERIOD, DEFAULT_PERIOD))] = SECONDS
    fields[vol.Required(MAX_AGE, default=known.get(MAX_AGE, 3600))] = SECONDS
    return vol.Schema(fields)


class Flow(ConfigFlow, domain=DOMAIN):
    """Set the integration up."""

    VERSION = 1

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask, and make the entry."""
        errors = {}
        if user_input is not None:
            if any(source(k) in user_input for k in range(len(READINGS))):
                return self.async_create_entry(title=TITLE, data=user_input)
            errors["base"] = "no_source"
        return self.async_show_form(step_id="user", data_schema=form(user_input or {}), errors=errors)

    @staticmethod
    @callback
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Other entities later on."""
        return Options()


class Options(OptionsFlow):
    """Change the entities."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask again."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        known = {**self.config_entry.data, **self.config_entry.options}
        return self.async_show_form(step_id="init", data_schema=form(known))
'''
DIAGNOSTICS = '''"""What a bug report needs. Made by @GENERATOR@."""

from __future__ import annotations

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from . import model
from .const import READINGS, source


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, Any]:
    """The model, what it read last and what it said."""
    runner = entry.runtime_data
    return {
        "model_hash": model.MODEL_HASH,
        "version": model.VERSION,
        "self_test": await hass.async_add_executor_job(model.selftest),
        "sources": {name: runner.settings.get(source(k)) for k, name in enumerate(READINGS)},
        "row": runner.row,
        "result": runner.result,
    }
'''
