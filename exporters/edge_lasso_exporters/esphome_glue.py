"""The C++ of an ESPHome component, between its entities and the C of the model."""

from __future__ import annotations

HEADER = """// @SPDX@
// Made by @GENERATOR@. Reads the sources, runs the model, publishes what it says.
#pragma once

#include <string>

#include "@NAME@.h"
#include "esphome/components/sensor/sensor.h"
#include "esphome/core/component.h"
#include "esphome/core/defines.h"
#ifdef USE_TEXT_SENSOR
#include "esphome/components/text_sensor/text_sensor.h"
#endif
#ifdef USE_BINARY_SENSOR
#include "esphome/components/binary_sensor/binary_sensor.h"
#endif

namespace esphome::@NAME@ {

class Model : public PollingComponent {
 public:
  void set_source(size_t place, sensor::Sensor *source) { this->numbers_[place] = source; }
  void set_expire_after(uint32_t milliseconds) { this->expire_after_ = milliseconds; }
  void set_value(size_t output, sensor::Sensor *value) { this->values_[output] = value; }
#ifdef USE_TEXT_SENSOR
  void set_source(size_t place, text_sensor::TextSensor *source) { this->words_[place] = source; }
  void set_status(text_sensor::TextSensor *status) { this->status_ = status; }
  void set_label(text_sensor::TextSensor *label) { this->label_ = label; }
#endif
#ifdef USE_BINARY_SENSOR
  void set_problem(binary_sensor::BinarySensor *problem) { this->problem_ = problem; }
  void set_alarm(binary_sensor::BinarySensor *alarm) { this->alarm_ = alarm; }
#endif

  void setup() override;
  /// Takes in a row: what the sources say now.
  void update() override;
  void dump_config() override;
@PUBLIC@
 protected:
  void heard_now_(size_t place);
  float reading_(size_t place);
  std::string status_text_(uint32_t wrong, const float *x) const;

  sensor::Sensor *numbers_[@COUNT@]{};
  sensor::Sensor *values_[@OUTPUT_COUNT@]{};
#ifdef USE_TEXT_SENSOR
  text_sensor::TextSensor *words_[@COUNT@]{};
  text_sensor::TextSensor *status_{nullptr};
  text_sensor::TextSensor *label_{nullptr};
#endif
#ifdef USE_BINARY_SENSOR
  binary_sensor::BinarySensor *problem_{nullptr};
  binary_sensor::BinarySensor *alarm_{nullptr};
#endif
  uint32_t expire_after_{0};  // 0: never
  uint32_t heard_at_[@COUNT@]{};
  bool heard_[@COUNT@]{};
@MEMBERS@};

}  // namespace esphome::@NAME@
"""
STEP_PUBLIC = """  /// Forgets the rows before.
  void restart() { @NAME@_start(&this->state_); }
  const @NAME@_result &result() const { return this->result_; }
"""
STEP_MEMBERS = """  @NAME@_state state_;
  @NAME@_result result_{};
"""
SOURCE = """// @SPDX@
#include "model.h"

#include <algorithm>
#include <cmath>

#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::@NAME@ {

static const char *const TAG = "@NAME@";
static const char *const KEYS[] = {@KEYS@};
static const size_t READINGS = @COUNT@;
static const size_t LONGEST_STATUS = 200;  // a state of Home Assistant has 255 characters
@TABLES@
void Model::setup() {
#ifdef @UPPER@_SELFTEST
  if (@NAME@_selftest() != 1) {
    ESP_LOGE(TAG, "The model's self-test fails on this board");
    this->mark_failed();
    return;
  }
#endif
@START@  for (size_t k = 0; k < READINGS; k++) {
    if (this->numbers_[k] != nullptr) {
      this->numbers_[k]->add_on_state_callback([this, k](float) { this->heard_now_(k); });
      if (this->numbers_[k]->has_state())
        this->heard_now_(k);
    }
#ifdef USE_TEXT_SENSOR
    if (this->words_[k] != nullptr) {
      this->words_[k]->add_on_state_callback([this, k](const std::string &) { this->heard_now_(k); });
      if (this->words_[k]->has_state())
        this->heard_now_(k);
    }
#endif
  }
}

void Model::heard_now_(size_t place) {
  this->heard_[place] = true;
  this->heard_at_[place] = millis();
@CHANGED@}

/// What a source says; NaN where it says nothing, or has said nothing for too long.
float Model::reading_(size_t place) {
  if (this->expire_after_ != 0 && millis() - this->heard_at_[place] > this->expire_after_)
    this->heard_[place] = false;  // for good: the clock comes round
  if (!this->heard_[place])
    return NAN;
@READ@
}

void Model::update() {
@AGAIN@  float x[READINGS];
  for (size_t k = 0; k < READINGS; k++)
    x[k] = this->reading_(k);
@RUN@  for (size_t m = 0; m < @UPPER@_OUTPUTS; m++) {
    if (this->values_[m] != nullptr)
      this->values_[m]->publish_state(values[m]);
  }
@SCORED@#ifdef USE_TEXT_SENSOR
@LABELLED@  if (this->status_ != nullptr)
    this->status_->publish_state(this->status_text_(wrong, x));
#endif
#ifdef USE_BINARY_SENSOR
  if (this->problem_ != nullptr)
    this->problem_->publish_state(wrong != 0);
@ALARMED@#endif
}

/// ``ok``, @WARMS@or ``degraded`` with what is wrong.
std::string Model::status_text_(uint32_t wrong, const float *x) const {
  if (wrong == 0)
    return @OK@;
  std::string text = "degraded: ";
  const size_t start = text.size();
  for (size_t k = 0; k < READINGS; k++) {
@FAULT@
    if (fault == 0)
      continue;
    if (text.size() > LONGEST_STATUS)
      return text + ", and more";
    text.append(text.size() > start ? ", " : "").append(KEYS[k]).append(" ").append(FAULTS[fault]);
  }
  return text@REST@;
}

void Model::dump_config() {
  ESP_LOGCONFIG(TAG, "Model %s (%.12s...)", @UPPER@_VERSION, @UPPER@_HASH);
  for (size_t k = 0; k < READINGS; k++) {
    bool given = this->numbers_[k] != nullptr;
#ifdef USE_TEXT_SENSOR
    given = given || this->words_[k] != nullptr;
#endif
    if (!given)
      ESP_LOGCONFIG(TAG, "  %s has no source: always missing", KEYS[k]);
  }
  LOG_UPDATE_INTERVAL(this);
}

}  // namespace esphome::@NAME@
"""
CHANGED = """  if (!this->waits_) {  // one row for all sources of a loop
    this->waits_ = true;
    this->defer([this]() { this->update(); });
  }
"""
WAITS = """  bool waits_{false};  // a row is to be taken in
"""
NUMBER_READ = """  return this->numbers_[place]->state;"""
WORD_READ = """  if (this->numbers_[place] != nullptr)
    return this->numbers_[place]->state;
  const std::string &word = this->words_[place]->state;
  for (size_t k = 0; k < COUNTS[place]; k++) {
    if (word == CATEGORIES[place][k])
      return k;
  }
  return NAN;"""
STEP_FAULT = "    const uint8_t fault = this->result_.faults[k];"
STATUS_FAULT = """    if (k >= 31 && std::fabs(x[k]) <= LIMIT)
      continue;  // they share a bit
    const bool well = ((wrong >> std::min(k, size_t(31))) & 1) == 0;
    const uint8_t fault = well ? 0 : std::fabs(x[k]) <= LIMIT ? RANGE : MISSING;"""
SCORED = """  if (this->values_[@UPPER@_OUTPUTS] != nullptr)
    this->values_[@UPPER@_OUTPUTS]->publish_state(this->result_.score);
"""
LABELLED = """  if (this->label_ != nullptr)
    this->label_->publish_state(CLASSES[label]);
"""
ALARMED = """  if (this->alarm_ != nullptr)
    this->alarm_->publish_state(this->result_.alarm != 0);
"""
