/* Keeps a program that binds every interface, as DynamoDB Local does whatever it is told, on this machine:
 * preloaded, it turns the wildcard address into the loopback one. */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int bind(int socket, const struct sockaddr *address, socklen_t length) {
    struct sockaddr_in own;
    int bound;

    /* Java is told to do without IPv6. If it does not, better no server than an open one. */
    if (address != NULL && address->sa_family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    if (address != NULL && address->sa_family == AF_INET && length >= sizeof own) {
        memcpy(&own, address, sizeof own);
        if (own.sin_addr.s_addr == htonl(INADDR_ANY)) {
            own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        address = (const struct sockaddr *)&own;
        length = sizeof own;
    }
    bound = (int)syscall(SYS_bind, socket, address, length);
    if (bound != 0 && errno == EADDRINUSE) {
        /* Without its port, DynamoDB Local would stay, and answer nobody. */
        perror("bind");
        _exit(1);
    }
    return bound;
}
