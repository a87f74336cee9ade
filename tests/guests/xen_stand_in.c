/* Stands in for the hypervisor's libraries that Debian's xenstored needs, so that it runs without
   Xen: libxenctrl, libxenevtchn and libxengnttab, all in one. No guest connects by shared memory,
   so no event ever comes. This domain's own page and event channel, which the kernel tells in
   /proc/xen (drivers/xen/xenfs/xenstored.c), are an empty page and a number. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int handle;
static int events = -1;

void *xc_interface_open(void *logger, void *other, unsigned flags) { return &handle; }
int xc_interface_close(void *interface) { return 0; }

/* All domains that are asked for live. The first member of xc_dominfo_t (tools/include/xenctrl.h)
   is the domain's number; that no flag is set behind it means that it is well. */
int xc_domain_getinfo(void *interface, uint32_t first, unsigned count, uint32_t *information)
{
    memset(information, 0, 64);
    information[0] = first;
    return 1;
}

void *xenevtchn_open(void *logger, unsigned flags) { return &handle; }
void *xenevtchn_fdopen(void *logger, int descriptor, unsigned flags) { return &handle; }

int xenevtchn_fd(void *channel)
{
    if (events < 0)
        events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return events;
}

int xenevtchn_bind_interdomain(void *channel, uint32_t domain, uint32_t port) { return port + 1; }
int xenevtchn_bind_virq(void *channel, unsigned interrupt) { return 1; }
int xenevtchn_notify(void *channel, uint32_t port) { return 0; }
int xenevtchn_pending(void *channel) { return -1; }
int xenevtchn_unbind(void *channel, uint32_t port) { return 0; }
int xenevtchn_unmask(void *channel, uint32_t port) { return 0; }

void *xengnttab_open(void *logger, unsigned flags) { return &handle; }
int xengnttab_close(void *table) { return 0; }
int xengnttab_set_max_grants(void *table, uint32_t count) { return 0; }
int xengnttab_unmap(void *table, void *address, uint32_t pages) { return 0; }

void *xengnttab_map_grant_ref(void *table, uint32_t domain, uint32_t page, int access)
{
    return mmap(NULL, PAGE, access, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int memory(const char *path)
{
    int file = memfd_create(path, MFD_CLOEXEC);
    if (file >= 0 && ftruncate(file, PAGE) == 0 && pwrite(file, "1", 1, 0) == 1)
        return file;
    return -1;
}

int open(const char *path, int flags, ...)
{
    if (strcmp(path, "/proc/xen/xsd_port") == 0 || strcmp(path, "/proc/xen/xsd_kva") == 0)
        return memory(path);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return next(path, flags, mode);
}
