#pragma once
#include <string>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::trust {

/// Files that are written into a hidden directory, and get their names all together or not at all. Whatever it made
/// goes with it, unless commit() succeeded. There is no recursive delete: it removes by name what it made itself.
class Staging {
  public:
    /// `target_fd` stays the caller's and must outlive this. See extract_bundle() for what it must be.
    static Result<Staging> create(int target_fd);
    Staging(Staging&&) noexcept = default;
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;
    Staging& operator=(Staging&&) = delete;
    ~Staging();

    Result<void> start_file(const std::string& name, unsigned mode);
    Result<void> write(ByteSpan bytes);
    Result<void> finish_file();
    Result<void> commit();

  private:
    struct File {
        std::string name;
        std::string temporary;
        bool placed = false;
    };
    Staging(int target, std::string directory_name, UniqueFd directory)
        : target_(target), directory_name_(std::move(directory_name)), directory_(std::move(directory)) {}
    Result<void> place(File& file);

    int target_;
    std::string directory_name_;
    UniqueFd directory_; ///< none after a move, and after commit()
    UniqueFd current_;
    std::vector<File> files_;
    std::vector<std::string> made_directories_; ///< parents first
};

} // namespace picket::trust
