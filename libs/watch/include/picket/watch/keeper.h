#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/watch/fanotify_group.h>

/// A process that reads a fanotify group of its own, for file systems whose files the kernel opens by opening something
/// else: the layers of an overlay, or whatever a FUSE or network server opens to serve. That happens inside read(), and
/// the open behind it asks a question of its own, or waits for a server that is gone. Whoever answers must not be the
/// one that waits there, nor share its descriptors: a process that hangs in the kernel keeps them, killed or not.
///
/// The gate holds two sockets of each keeper (SOCK_SEQPACKET, fixed records): orders (KeeperOrder with a directory →
/// KeeperAnswer) and events (KeeperHello with the group, then KeptEvent with its file; back: the numbers of events that
/// have been answered). The gate writes the answers into the group itself. A keeper ends when the gate closes either.
namespace picket::watch {

struct KeeperOrder {
    bool drop_marks = false; ///< all there are; comes without a directory
    MarkScope scope = MarkScope::filesystem;
    bool exec_events = false;
    bool put_away = false; ///< files lie behind a server: EventFile::put_away()
};
struct KeeperAnswer {
    std::int32_t error = 0; ///< errno, 0 = done
};
struct KeeperHello {
    std::int32_t error = 0; ///< errno; 0 = the group is with it
    std::int32_t pid = 0;   ///< the keeper's own: what it opens is ours
};
struct KeptEvent {
    EventKind kind = EventKind::overflow;
    std::int32_t number = -1; ///< of the event in the group; -1: needs no answer
    std::int32_t pid = 0;
    std::int32_t put_away = 0; ///< 1: two descriptors, a look and the content; else one, or none for an overflow
};

/// Since when a keeper has been inside one call that may not return, by its own monotonic clock in nanoseconds; 0 where
/// it is not, or is gone. In memory that both share.
using KeeperState = std::atomic<std::int64_t>;

struct KeeperSetup {
    UniqueFd orders;
    UniqueFd events;
    KeeperState* state = nullptr;
    std::vector<std::string> never_asked; ///< FanotifyGroup::never_ask()
    void (*confine)() = nullptr;          ///< once the group is there
};
[[noreturn]] void run_keeper(KeeperSetup setup);

} // namespace picket::watch
