/* Counts the guest's instructions and writes the count to the file named by out=FILE; below it, a line for each time
 * that the guest passed a mark: a system call (of whatever kind) whose first argument is MARK, as getpgid(MARK) is.
 * Debian ships QEMU's plugin interface (version 1) without its header; these are the parts that are used. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int add_u64, void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned int, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                               uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define MARK 0x45444745u
#define MOST 4096

static uint64_t count;
static uint64_t marks[MOST];
static unsigned marked;
static char out[4096];

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++)
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(block, i), 0, &count, 1);
}

static void called(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t first, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)cpu, (void)number, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if ((uint32_t)first == MARK && marked < MOST)
        marks[marked++] = count;
}

static void finished(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    FILE *file = fopen(out, "w");
    if (file) {
        fprintf(file, "%" PRIu64 "\n", count);
        for (unsigned i = 0; i < marked; i++)
            fprintf(file, "%" PRIu64 "\n", marks[i]);
        fclose(file);
    }
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4) && strlen(argv[i]) < sizeof out)
            strcpy(out, argv[i] + 4);
    if (!out[0])
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
