/* Lets programs use hotswitch's Netlink server without knowing it.
 *
 * Preloaded, it makes each generic Netlink socket a connection to the Unix socket that
 * $HOTSWITCH_NETLINK names; all other sockets stay what they are, but there are none for netfilter:
 * what connections the kernel tracks is not the datapath's, so a program must not take it for that,
 * nor forget it for that. What the program does with the socket by system calls (bind, memberships,
 * options) becomes requests to the family hs_socket.
 *
 * A Netlink socket answers before send() returns, and programs rely on it: they look for the
 * answer without waiting. So each send here waits until the server has signalled, by a byte in a
 * pipe, that the answer is there.
 *
 * gcc -shared -fPIC -O2 -Wall -Wextra -Werror -o nlshim.so nlshim.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FAMILY = 0x400, BIND = 1, JOIN, LEAVE, OPTION, SIGNAL };
enum { PORT = 1, GROUP, EXTENDED, CAPPED };
enum { SOCKETS = 65536 };

/* By descriptor. port 0: not one of these sockets. */
static struct {
    unsigned port;
    int type;
    int signal;
    int extended, capped;
} sockets[SOCKETS];

#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

struct request {
    struct nlmsghdr header;
    struct genlmsghdr generic;
    struct nlattr attribute;
    unsigned value;
};

static int is_ours(int fd)
{
    return fd >= 0 && fd < SOCKETS && sockets[fd].port;
}

/* Waits until what was sent has been answered, if anything was sent. */
static ssize_t answered(int fd, ssize_t sent)
{
    char byte;
    int before = errno;
    if (sent >= 0)
        while (NEXT(read)(sockets[fd].signal, &byte, 1) < 0 && errno == EINTR)
            continue;
    errno = before;
    return sent;
}

static struct request request(int command, int attribute, unsigned value, size_t size)
{
    struct request made = {
        .header = { .nlmsg_len = sizeof made, .nlmsg_type = FAMILY, .nlmsg_flags = NLM_F_REQUEST },
        .generic = { .cmd = command, .version = 1 },
        .attribute = { .nla_len = NLA_HDRLEN + size, .nla_type = attribute },
        .value = value,
    };
    made.header.nlmsg_len -= sizeof value - size;
    return made;
}

/* Sends a request to hs_socket that is not answered. */
static int tell(int fd, struct request made)
{
    ssize_t sent = NEXT(send)(fd, &made, made.header.nlmsg_len, MSG_NOSIGNAL);
    return answered(fd, sent) < 0 ? -1 : 0;
}

/* Takes the answer to BIND or SIGNAL, and the port id from it. */
static int take_port(int fd)
{
    char data[4096];
    struct nlmsghdr *header = (void *) data;
    ssize_t size = NEXT(recv)(fd, data, sizeof data, 0);
    if (size < (ssize_t) sizeof *header || header->nlmsg_type == NLMSG_ERROR) {
        errno = size < 0 ? errno : EADDRINUSE;
        return -1;
    }
    sockets[fd].port = header->nlmsg_pid;
    return 0;
}

/* Hands the pipe over and learns the port id. */
static int introduce(int fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    struct request made = request(SIGNAL, PORT, 0, sizeof made.value);
    char control[CMSG_SPACE(sizeof ends[1])] = { 0 };
    struct iovec data = { &made, made.header.nlmsg_len };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1,
                              .msg_control = control, .msg_controllen = sizeof control };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof ends[1]);
    memcpy(CMSG_DATA(rights), &ends[1], sizeof ends[1]);
    ssize_t sent = NEXT(sendmsg)(fd, &message, MSG_NOSIGNAL);
    NEXT(close)(ends[1]);
    sockets[fd].signal = ends[0];
    sockets[fd].extended = sockets[fd].capped = 0;
    if (answered(fd, sent) < 0 || take_port(fd)) {
        NEXT(close)(ends[0]);
        return -1;
    }
    return 0;
}

int socket(int domain, int type, int protocol)
{
    const char *path = getenv("HOTSWITCH_NETLINK");
    if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER && path) {
        errno = EPROTONOSUPPORT;
        return -1;
    }
    if (domain != AF_NETLINK || protocol != NETLINK_GENERIC || !path)
        return NEXT(socket)(domain, type, protocol);
    int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);
    int fd = NEXT(socket)(AF_UNIX, SOCK_SEQPACKET | (flags & SOCK_CLOEXEC), 0);
    if (fd < 0)
        return fd;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd >= SOCKETS || NEXT(connect)(fd, (void *) &address, sizeof address) || introduce(fd)) {
        NEXT(close)(fd);
        errno = EPROTONOSUPPORT;
        return -1;
    }
    sockets[fd].type = type & ~flags;
    if (flags & SOCK_NONBLOCK)
        NEXT(fcntl)(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return is_ours(fd) ? 0 : NEXT(connect)(fd, address, size);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    if (!is_ours(fd))
        return NEXT(bind)(fd, address, size);
    unsigned port = ((const struct sockaddr_nl *) address)->nl_pid;
    if (!port || port == sockets[fd].port)
        return 0;
    return tell(fd, request(BIND, PORT, port, sizeof port)) ? -1 : take_port(fd);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    if (!is_ours(fd))
        return NEXT(getsockname)(fd, address, size);
    struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = sockets[fd].port };
    memcpy(address, &name, *size < sizeof name ? *size : sizeof name);
    *size = sizeof name;
    return 0;
}

static int set_options(int fd)
{
    if (sockets[fd].extended && sockets[fd].capped) {
        struct { struct request first; struct nlattr second; } both = {
            request(OPTION, EXTENDED, 0, 0), { NLA_HDRLEN, CAPPED } };
        /* The first attribute is empty, so the second one stands where its value would. */
        memcpy(&both.first.value, &both.second, sizeof both.second);
        both.first.header.nlmsg_len += NLA_HDRLEN;
        return tell(fd, both.first);
    }
    if (sockets[fd].extended || sockets[fd].capped)
        return tell(fd, request(OPTION, sockets[fd].extended ? EXTENDED : CAPPED, 0, 0));
    struct request none = request(OPTION, 0, 0, 0);
    none.header.nlmsg_len -= NLA_HDRLEN;
    return tell(fd, none);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    if (!is_ours(fd) || level != SOL_NETLINK)
        return NEXT(setsockopt)(fd, level, option, value, size);
    unsigned number = size >= sizeof number ? *(const unsigned *) value : 0;
    switch (option) {
    case NETLINK_ADD_MEMBERSHIP:
        return tell(fd, request(JOIN, GROUP, number, sizeof number));
    case NETLINK_DROP_MEMBERSHIP:
        return tell(fd, request(LEAVE, GROUP, number, sizeof number));
    case NETLINK_EXT_ACK:
        sockets[fd].extended = number != 0;
        return set_options(fd);
    case NETLINK_CAP_ACK:
        sockets[fd].capped = number != 0;
        return set_options(fd);
    default:
        return 0;
    }
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    if (is_ours(fd) && level == SOL_SOCKET && *size >= sizeof(int)) {
        int answer = option == SO_TYPE ? sockets[fd].type
            : option == SO_DOMAIN ? AF_NETLINK
            : option == SO_PROTOCOL ? NETLINK_GENERIC : -1;
        if (answer >= 0) {
            *(int *) value = answer;
            *size = sizeof answer;
            return 0;
        }
    }
    return NEXT(getsockopt)(fd, level, option, value, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    ssize_t sent = NEXT(send)(fd, data, size, flags);
    return is_ours(fd) ? answered(fd, sent) : sent;
}

ssize_t sendto(int fd, const void *data, size_t size, int flags,
               const struct sockaddr *address, socklen_t length)
{
    if (is_ours(fd))
        return answered(fd, NEXT(send)(fd, data, size, flags));
    return NEXT(sendto)(fd, data, size, flags, address, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!is_ours(fd))
        return NEXT(sendmsg)(fd, message, flags);
    struct msghdr nameless = *message;
    nameless.msg_name = NULL;
    nameless.msg_namelen = 0;
    return answered(fd, NEXT(sendmsg)(fd, &nameless, flags));
}

static int copied(int from, int to)
{
    if (to >= 0 && to < SOCKETS && is_ours(from)) {
        sockets[to] = sockets[from];
        sockets[to].signal = dup(sockets[from].signal);
    }
    return to;
}

static int control(int (*next)(int, int, ...), int fd, int command, void *argument)
{
    int result = next(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control(NEXT(fcntl), fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control(dlsym(RTLD_NEXT, "fcntl64"), fd, command, argument);
}

int close(int fd)
{
    if (is_ours(fd)) {
        sockets[fd].port = 0;
        NEXT(close)(sockets[fd].signal);
    }
    return NEXT(close)(fd);
}
