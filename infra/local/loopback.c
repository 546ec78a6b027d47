/* Restricts a server that always binds to every interface, such as DynamoDB Local, to the loopback interface.
 * When preloaded, this library replaces the wildcard address with the loopback address. */

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

    /* IPv6 is disabled in Java. If it were enabled, failing would be better than exposing the server. */
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
        /* Exit here: otherwise, DynamoDB Local would keep running without its port. */
        perror("bind");
        _exit(1);
    }
    return bound;
}
