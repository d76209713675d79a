/* A gateway in a plant: rows of readings on standard input, a line for each alarm that begins.
 *
 * cc -std=c99 -Wall -Wextra -Iartifacts/c-float main.c artifacts/c-float/plant.c -lm -o plant
 * ./plant < air.csv             normal operation, as trained on
 * ./plant 1500 40 < air.csv     from row 1500 on the second sensor reads 40 too much
 */
#include "plant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const SENSORS[PLANT_READINGS] = {"Dongsi", "Tiantan", "Guanyuan", "Nongzhanguan"};

int main(int argc, char **argv) {
    const long from = argc > 2 ? atol(argv[1]) : -1L;
    const float bias = argc > 2 ? (float)atof(argv[2]) : 0.0f;
    char line[256];
    plant_state state;
    plant_result result;
    long row = 0;

    plant_start(&state);
    if (fgets(line, sizeof line, stdin) == NULL) { /* the header */
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        char time[24];
        float x[PLANT_READINGS];
        if (sscanf(line, "%23[^,],%f,%f,%f,%f", time, &x[0], &x[1], &x[2], &x[3]) != 1 + PLANT_READINGS) {
            fprintf(stderr, "row %ld cannot be read\n", row);
            continue;
        }
        if (from >= 0 && row >= from) {
            x[PLANT_READ_TIANTAN_PM2_5] += bias;
        }
        plant_step(&state, x, &result);
        if (result.onset) {
            float share[PLANT_READINGS] = {0.0f};
            int most = 0;
            for (int k = 0; k < PLANT_OUTPUTS; k++) { /* a model of each sensor, then its usual level */
                share[k % PLANT_READINGS] += result.parts[k];
            }
            for (int k = 1; k < PLANT_READINGS; k++) {
                most = share[k] > share[most] ? k : most;
            }
            printf("%s alarm, score %.1f, most of it from %s\n", time, (double)result.score, SENSORS[most]);
        }
        row++;
    }
    printf("%ld rows, %lu in alarm, %lu alarms\n", row, (unsigned long)state.alarms, (unsigned long)state.onsets);
    return 0;
}
