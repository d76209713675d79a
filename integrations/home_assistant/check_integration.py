"""What an exported integration does inside Home Assistant; run by `run.py` in a Python that has it."""

import importlib
import json
import os
from datetime import timedelta
from pathlib import Path

import custom_components  # noqa: F401  # ours, before the test package's own of that name
import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

CASES = json.loads(Path(os.environ["EDGE_LASSO_CASES"]).read_text())
DENSE, STATEFUL = ("heat", "comfort", "pipeline"), ("lags", "plant")


@pytest.fixture(autouse=True)
def custom(enable_custom_integrations):
    """Custom integrations are loaded."""


def const(name):
    return importlib.import_module(f"custom_components.{name}.const")


def say(hass, name, row):
    """The entities report a row; what is None is unavailable."""
    for k, reading in enumerate(const(name).READINGS):
        value = row[reading]
        hass.states.async_set(f"sensor.{name}_{k}", "unavailable" if value is None else str(value))


async def entry_of(hass, name, **settings):
    sources = {f"source_{k}": f"sensor.{name}_{k}" for k in range(len(const(name).READINGS))}
    entry = MockConfigEntry(domain=name, data={**sources, "period": 0, "max_age": 0, **settings}, title=name)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def entity(hass, entry, key):
    from homeassistant.helpers import entity_registry

    unique = f"{entry.entry_id}_{key}"
    entries = entity_registry.async_get(hass).entities.values()
    return hass.states.get(next(entry.entity_id for entry in entries if entry.unique_id == unique))


def agrees(hass, entry, case):
    """The entities say what the reference says."""
    for m, value in enumerate(case["values"]):
        assert float(entity(hass, entry, f"output_{m}").state) == pytest.approx(value, rel=1e-12)
    assert entity(hass, entry, "status").state == case["status"]
    if case["label"] is not None:
        assert entity(hass, entry, "label").state == case["label"]
    if case["score"] is not None:
        assert float(entity(hass, entry, "score").state) == pytest.approx(case["score"], rel=1e-12)
        assert entity(hass, entry, "alarm").state == ("on" if case["alarm"] else "off")


@pytest.mark.parametrize("name", DENSE)
async def test_entities_follow_their_sources(hass, name):
    say(hass, name, CASES[name]["cases"][0]["row"])
    entry = await entry_of(hass, name)
    for case in CASES[name]["cases"]:
        say(hass, name, case["row"])
        await hass.async_block_till_done()
        agrees(hass, entry, case)
    faults = [case["status"] for case in CASES[name]["cases"]]
    assert faults.count("degraded") >= 1


@pytest.mark.parametrize("name", STATEFUL)
async def test_a_model_that_remembers_takes_a_row_a_period_and_survives_a_restart(hass, hass_storage, name, freezer):
    entry = await entry_of(hass, name, period=60)
    for k, case in enumerate(CASES[name]["cases"]):
        if k == 6:  # Home Assistant is restarted between two rows
            assert await hass.config_entries.async_unload(entry.entry_id)
            await hass.async_block_till_done()
            assert f"{name}.{entry.entry_id}" in hass_storage
            assert await hass.config_entries.async_setup(entry.entry_id)
        say(hass, name, case["row"])
        freezer.tick(timedelta(seconds=61))
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()
        agrees(hass, entry, case)
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert f"{name}.{entry.entry_id}" not in hass_storage


async def test_a_sensor_that_is_stuck_is_missing_and_a_constant_one_is_not(hass, freezer):
    case = CASES["heat"]["cases"][0]
    say(hass, "heat", case["row"])
    entry = await entry_of(hass, "heat", period=60, max_age=600)
    for _ in range(15):  # constant, but reported
        freezer.tick(timedelta(seconds=61))
        say(hass, "heat", case["row"])
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()
    agrees(hass, entry, case)
    for _ in range(15):  # nothing reports any more
        freezer.tick(timedelta(seconds=61))
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()
    assert entity(hass, entry, "status").state == "degraded"
    assert len(entity(hass, entry, "status").attributes["faults"]) == len(const("heat").READINGS)


@pytest.mark.parametrize("name", CASES)
async def test_it_is_set_up_and_changed_in_forms(hass, name):
    flow = await hass.config_entries.flow.async_init(name, context={"source": "user"})
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "user")
    rest = {"period": 60, "max_age": 600}
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], rest)
    assert flow["errors"] == {"base": "no_source"}
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"source_0": "sensor.first", **rest})
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    entry = hass.config_entries.async_entries(name)[0]
    assert entry.state is ConfigEntryState.LOADED
    options = await hass.config_entries.options.async_init(entry.entry_id)
    options = await hass.config_entries.options.async_configure(
        options["flow_id"], {"source_0": "sensor.other", "period": 30, "max_age": 0}
    )
    await hass.async_block_till_done()
    assert entry.runtime_data.settings["source_0"] == "sensor.other"


@pytest.mark.parametrize("name", CASES)
async def test_diagnostics_tell_model_sources_and_self_test(hass, name):
    say(hass, name, CASES[name]["cases"][0]["row"])
    entry = await entry_of(hass, name)
    diagnostics = importlib.import_module(f"custom_components.{name}.diagnostics")
    told = await diagnostics.async_get_config_entry_diagnostics(hass, entry)
    assert told["model_hash"] == CASES[name]["model_hash"]
    assert told["self_test"] is True
    json.dumps(told)
    assert len(told["sources"]) == len(const(name).READINGS)
