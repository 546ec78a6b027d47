/* Keeps a server that always binds every interface, such as DynamoDB Local, on this machine. When preloaded,
 * this library replaces the wildcard address with the loopback address. */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int bind(int socket, const struct sockaddr *address, socklen_t length) {
    struct sockaddr_in local;
    int bound;

    /* Java's IPv6 is off. If it were on, no server is better than an open one. */
    if (address != NULL && address->sa_family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    if (address != NULL && address->sa_family == AF_INET && length >= sizeof local) {
        memcpy(&local, address, sizeof local);
        if (local.sin_addr.s_addr == htonl(INADDR_ANY)) {
            local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        address = (const struct sockaddr *)&local;
        length = sizeof local;
    }
    bound = (int)syscall(SYS_bind, socket, address, length);
    if (bound != 0 && errno == EADDRINUSE) {
        /* DynamoDB Local would keep running without its port. */
        perror("bind");
        _exit(1);
    }
    return bound;
}
