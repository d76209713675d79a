/* A room's occupancy on an ATmega328P (Arduino Uno): readings in, a line per row out of the serial port. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <math.h>

#include "room.h"

/* Light in lux: here a table, on a board what its sensor says; NAN where it says nothing. */
static const float light[] = {426.0F, 0.0F, 419.0F, 31.5F, NAN, 1900.0F};

static void say(const char *text)
{
    for (; *text != '\0'; text++) {
        while ((UCSR0A & (1 << UDRE0)) == 0) {
        }
        UDR0 = (uint8_t)*text;
    }
}

int main(void)
{
    uint8_t i;
    UBRR0 = 8; /* 115200 baud at 16 MHz */
    UCSR0B = 1 << TXEN0;
    say(room_selftest() ? "self-test passed\n" : "self-test FAILED\n");
    for (i = 0; i < sizeof(light) / sizeof(light[0]); i++) {
        const room_input reading = {.light = light[i]};
        uint32_t wrong;
        const int32_t r = room_predict_input(&reading, &wrong);
        say((r > 0) ? "occupied" : "empty");
        say((wrong != 0) ? ", but a reading is missing or out of range\n" : "\n");
    }
    cli();
    sleep_enable();
    sleep_cpu(); /* simavr ends here */
    return 0;
}
