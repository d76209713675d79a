/* Calls one function on a simulated ATmega328P. Standard input, one command a line:
 *   F address hex    bytes to flash            D address hex    bytes to data memory (registers are 0 to 31)
 *   R entry limit    run from a byte address until it returns, at most limit instructions
 *   O address count  print bytes of data memory
 * R prints: instructions cycles stack-bytes, or "limit" / "crash pc". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_core.h>

#define TOP 0x08ff     /* the last byte of SRAM */
#define RETURN 0x7ffe  /* the last word of flash: the call returns to it */

static void quiet(avr_t *avr, const int level, const char *format, va_list arguments)
{
    (void)avr; (void)level; (void)format; (void)arguments;
}

static void fill(uint8_t *to, const char *hex)
{
    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2) {
        char two[3] = {hex[0], hex[1], 0};
        *to++ = (uint8_t)strtoul(two, NULL, 16);
    }
}

static void run(avr_t *avr, unsigned entry, unsigned long limit)
{
    unsigned long instructions = 0;
    unsigned start = TOP, lowest = TOP - 2;
    avr->data[TOP] = (RETURN >> 1) & 0xff;
    avr->data[TOP - 1] = (RETURN >> 1) >> 8;
    _avr_sp_set(avr, TOP - 2);
    avr->pc = entry;
    avr->state = cpu_Running;
    avr_cycle_count_t before = avr->cycle;
    while (avr->pc != RETURN && instructions < limit) {
        avr->run_cycle_count = 0;
        avr_flashaddr_t next = avr_run_one(avr);
        instructions++;
        if (avr->state != cpu_Running || next > avr->flashend) {
            printf("crash %x\n", (unsigned)avr->pc);
            return;
        }
        avr->pc = next;
        unsigned sp = _avr_sp_get(avr);
        if (sp < lowest)
            lowest = sp;
    }
    if (avr->pc != RETURN)
        printf("limit\n");
    else
        printf("%lu %llu %u\n", instructions, (unsigned long long)(avr->cycle - before), start - lowest);
}

int main(void)
{
    static char line[1 << 18];
    avr_global_logger_set(quiet);
    avr_t *avr = avr_make_mcu_by_name("atmega328p");
    if (!avr || avr_init(avr))
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        char *rest;
        unsigned long address = strtoul(line + 1, &rest, 0);
        if (line[0] == 'F' && address <= avr->flashend)
            fill(avr->flash + address, rest + 1);
        else if (line[0] == 'D' && address <= avr->ramend)
            fill(avr->data + address, rest + 1);
        else if (line[0] == 'R')
            run(avr, (unsigned)address, strtoul(rest, NULL, 0));
        else if (line[0] == 'O') {
            unsigned long count = strtoul(rest, NULL, 0);
            for (unsigned long i = 0; i < count; i++)
                printf("%02x", avr->data[address + i]);
            printf("\n");
        }
    }
    return 0;
}
