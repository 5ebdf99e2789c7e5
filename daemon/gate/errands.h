#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/ipc/file_socket.h>
#include <picket/watch/event_file.h>

namespace picket::daemon {

/// Work with files whose server may never answer (FUSE, a network): reading one, closing it, even asking what kind of
/// file system it is on. Who waits there cannot be killed, and a process with such a thread keeps all its descriptors,
/// the fanotify group among them. So each errand is a process of its own that shares nothing with the gate and may be
/// lost; a child that is forked before the group exists starts them.
class Errands {
  public:
    enum class Kind : std::uint32_t {
        take_file, ///< of a client's connection (ipc::RpcDescriptors::left): one Taken, with one descriptor or two
        digest,    ///< of a file that is put away: one Digest
        walk,      ///< of a tree: kWalker and its process id, upon which it waits for a message, for what it opens must
                   ///< be known as ours; kWalkedFile and the path below the tree, with a look and a content, for each
                   ///< file that is not empty; kWalks now and then between them; at the end kWalkedAll and how many
                   ///< could not be opened
        close,     ///< of whatever is sent to it, at the next message without any (closer.h); the file is of no concern
    };
    static constexpr char kWalker = 'w';
    static constexpr char kWalks = 't';
    static constexpr char kWalkedFile = 'f';
    static constexpr char kWalkedAll = 'e';
    struct Taken {
        std::int32_t error = 0; ///< errno; EBADF: no regular file that is open for reading; EINVAL: not one descriptor
        std::int32_t put_away = 0; ///< 1: a look and the content; else the file
    };
    struct Digest {
        std::int32_t error = 0;
        std::array<Byte, 32> sha256{};
    };

    /// Before FanotifyGroup::create().
    static Result<Errands> start();
    Errands(Errands&&) = default;
    Errands& operator=(Errands&&) = delete;
    ~Errands();

    struct WalkOrder {
        std::string name;        ///< of an entry of the directory `file`; empty: itself
        std::string resume_from; ///< below there (scan::WalkOptions)
        bool cross_devices = true;
    };
    /// Gives the socket (SOCK_SEQPACKET, fixed records) on which the errand answers, and which ends with it; without
    /// an answer where too many of its kind are under way. Any thread.
    Result<ipc::FileSocket> begin(Kind kind, int file, const WalkOrder& walk) const;
    Result<ipc::FileSocket> begin(Kind kind, int file) const { return begin(kind, file, {}); }
    /// The SHA-256 of a file that is put away. unavailable where its server does not answer in time. Any thread; waits
    /// for at most 10 s.
    Result<std::array<Byte, 32>> digest_of(const watch::EventFile& file) const;
    /// False once nobody starts them any more: the daemon is to be started afresh.
    bool can_begin() const;

  private:
    Errands(UniqueFd orders, pid_t child) : orders_(std::move(orders)), child_(child) {}
    UniqueFd orders_;
    pid_t child_ = 0;
};

} // namespace picket::daemon
