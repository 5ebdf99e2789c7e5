#pragma once
#include <csignal>
#include <filesystem>
#include <set>
#include <string>

#include "disk.h"

namespace picket::remedy::testing {

namespace fs = std::filesystem;

enum class Fault {
    power_cut,    ///< from the n-th call on nothing reaches the disk; files never synced lose their content
    kill,         ///< SIGKILL of the process at the n-th call
    disk_full,    ///< the n-th call alone fails with ENOSPC
    input_output, ///< the n-th call alone fails with EIO
};

/// Fails at the n-th call; counts all of them.
class FaultyDisk final : public Disk {
  public:
    FaultyDisk(Fault fault, std::size_t at) : fault_(fault), at_(at) {}
    std::size_t calls() const { return calls_; }
    const std::string& failed_call() const { return failed_call_; }
    /// What a disk with a write cache may do to a file that nobody synced.
    void lose_unsynced() {
        for (const auto& [device, inode] : dirty_)
            for (const auto& entry : fs::recursive_directory_iterator(lose_below)) {
                struct stat status {};
                if (lstat(entry.path().c_str(), &status) == 0 && status.st_ino == inode && status.st_dev == device)
                    fs::resize_file(entry.path(), 0);
            }
    }
    fs::path lose_below;

    Result<UniqueFd> open_at(int directory, const std::string& name, int flags, mode_t mode) override {
        PICKET_TRY(gate("open"));
        return Disk::open_at(directory, name, flags, mode);
    }
    Result<struct stat> status_at(int directory, const std::string& name) override {
        PICKET_TRY(gate("status of a name"));
        return Disk::status_at(directory, name);
    }
    Result<struct stat> status_of(int fd) override {
        PICKET_TRY(gate("status"));
        return Disk::status_of(fd);
    }
    Result<std::size_t> read_at(int fd, Byte* into, std::size_t length, std::uint64_t offset) override {
        PICKET_TRY(gate("read"));
        return Disk::read_at(fd, into, length, offset);
    }
    Result<void> write(int fd, ByteSpan bytes) override {
        PICKET_TRY(gate("write"));
        dirty_.insert(key_of(fd));
        return Disk::write(fd, bytes);
    }
    Result<void> sync(int fd) override {
        PICKET_TRY(gate("sync"));
        dirty_.erase(key_of(fd));
        return Disk::sync(fd);
    }
    Result<void> sync_directory(int directory) override {
        PICKET_TRY(gate("sync directory"));
        return Disk::sync_directory(directory);
    }
    Result<void> rename_at(int directory, const std::string& from, const std::string& to, IfTaken if_taken) override {
        PICKET_TRY(gate("rename"));
        return Disk::rename_at(directory, from, to, if_taken);
    }
    Result<void> unlink_at(int directory, const std::string& name) override {
        PICKET_TRY(gate("unlink"));
        return Disk::unlink_at(directory, name);
    }
    Result<void> set_attributes(int fd, mode_t mode, const timespec& modified) override {
        PICKET_TRY(gate("set attributes"));
        return Disk::set_attributes(fd, mode, modified);
    }
    Result<Bytes> space_at(int directory) override {
        PICKET_TRY(gate("space"));
        return Disk::space_at(directory);
    }

  private:
    static std::pair<dev_t, ino_t> key_of(int fd) {
        struct stat status {};
        fstat(fd, &status);
        return {status.st_dev, status.st_ino};
    }
    Result<void> gate(const char* call) {
        ++calls_;
        if (calls_ < at_)
            return {};
        if (calls_ == at_)
            failed_call_ = call;
        if (fault_ == Fault::power_cut)
            return Error::from_errno(EIO, "no power");
        if (calls_ > at_)
            return {};
        if (fault_ == Fault::kill)
            raise(SIGKILL);
        return Error::from_errno(fault_ == Fault::disk_full ? ENOSPC : EIO, "injected");
    }

    Fault fault_;
    std::size_t at_;
    std::size_t calls_ = 0;
    std::string failed_call_;
    std::set<std::pair<dev_t, ino_t>> dirty_;
};

} // namespace picket::remedy::testing
