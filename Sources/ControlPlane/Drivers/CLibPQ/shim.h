#include <postgresql/libpq-fe.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
