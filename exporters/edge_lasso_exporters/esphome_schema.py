"""The Python files of an ESPHome component: what its YAML may say, and the C++ calls that come of it."""

from __future__ import annotations

HUB = '''"""A model that runs inside ESPHome. Made by @GENERATOR@."""

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.components import @SENSORS@
from esphome.const import CONF_ID

AUTO_LOAD = [@LOADED@]
MULTI_CONF = True

CONF_MODEL_ID = "model_id"
CONF_SOURCES = "sources"
CONF_EXPIRE_AFTER = "expire_after"
CONF_SELF_TEST = "self_test"
NUMBERS = @NUMBERS@  # sources of numbers: place in a row
WORDS = @WORDS@  # sources of words

Model = cg.esphome_ns.namespace("@NAME@").class_("Model", cg.PollingComponent)
CHILD = {cv.GenerateID(CONF_MODEL_ID): cv.use_id(Model)}

CONFIG_SCHEMA = cv.Schema(
    {
        cv.GenerateID(): cv.declare_id(Model),
        cv.Required(CONF_SOURCES): cv.All(
            cv.Schema(
                {
                    **{cv.Optional(key): cv.use_id(sensor.Sensor) for key in NUMBERS},
                    @WORD_SCHEMA@
                }
            ),
            cv.has_at_least_one_key(*NUMBERS, *WORDS),
        ),
        cv.Optional(CONF_EXPIRE_AFTER): cv.All(
            cv.positive_not_null_time_period, cv.positive_time_period_milliseconds
        ),
        cv.Optional(CONF_SELF_TEST, default=False): cv.boolean,
    }
).extend(cv.polling_component_schema(@INTERVAL@))


async def to_code(config):
    var = cg.new_Pvariable(config[CONF_ID])
    await cg.register_component(var, config)
    for key, source in config[CONF_SOURCES].items():
        place = NUMBERS[key] if key in NUMBERS else WORDS[key]
        cg.add(var.set_source(place, await cg.get_variable(source)))
    if CONF_EXPIRE_AFTER in config:
        cg.add(var.set_expire_after(config[CONF_EXPIRE_AFTER]))
    if config[CONF_SELF_TEST]:
        cg.add_build_flag("-D@UPPER@_SELFTEST")
'''
SENSOR = '''"""The model's predictions as sensors. Made by @GENERATOR@."""

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.components import sensor
from esphome.const import STATE_CLASS_MEASUREMENT

from . import CHILD, CONF_MODEL_ID

VALUES = @VALUES@  # key: output, unit

CONFIG_SCHEMA = cv.All(
    cv.Schema(
        {
            **CHILD,
            **{
                cv.Optional(key): sensor.sensor_schema(
                    unit_of_measurement=unit, accuracy_decimals=3, state_class=STATE_CLASS_MEASUREMENT
                )
                for key, (_, unit) in VALUES.items()
            },
        }
    ),
    cv.has_at_least_one_key(*VALUES),
)


async def to_code(config):
    model = await cg.get_variable(config[CONF_MODEL_ID])
    for key, (output, _) in VALUES.items():
        if key in config:
            cg.add(model.set_value(output, await sensor.new_sensor(config[key])))
'''
KINDS = '''"""@ABOUT@ Made by @GENERATOR@."""

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.components import @KIND@
from esphome.const import ENTITY_CATEGORY_DIAGNOSTIC

from . import CHILD, CONF_MODEL_ID

SCHEMAS = {
@SCHEMAS@
}

CONFIG_SCHEMA = cv.All(
    cv.Schema({**CHILD, **{cv.Optional(key): schema for key, schema in SCHEMAS.items()}}),
    cv.has_at_least_one_key(*SCHEMAS),
)


async def to_code(config):
    model = await cg.get_variable(config[CONF_MODEL_ID])
    for key in SCHEMAS:
        if key in config:
            cg.add(getattr(model, f"set_{key}")(await @KIND@.new_@KIND@(config[key])))
'''
ENTITIES = {
    "status": "text_sensor.text_sensor_schema(entity_category=ENTITY_CATEGORY_DIAGNOSTIC)",
    "label": "text_sensor.text_sensor_schema()",
    "problem": (
        'binary_sensor.binary_sensor_schema(\n        device_class="problem", '
        "entity_category=ENTITY_CATEGORY_DIAGNOSTIC\n    )"
    ),
    "alarm": 'binary_sensor.binary_sensor_schema(device_class="problem")',
}
