#pragma once
#include <optional>
#include <string>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::cli {

/// The test file while it is there; its destructor takes away what is left of it.
class TestFile {
  public:
    /// In `directory`, or where it is empty in a folder of Picket's own, which is made.
    static Result<TestFile> create(const std::string& directory);
    TestFile(TestFile&&) = default;
    TestFile(const TestFile&) = delete;
    TestFile& operator=(const TestFile&) = delete;
    TestFile& operator=(TestFile&&) = delete;
    ~TestFile() {
        if (directory_)
            remove();
    }

    Result<UniqueFd> open_reader() const;
    Result<void> fill() const;
    void close_writer() { writer_.reset(); }
    bool exists() const;
    void remove() const;
    /// errno of another process that opens it; 0 = it could; nothing = no answer in time.
    std::optional<int> opened_by_another() const;

  private:
    TestFile(UniqueFd directory, std::string name, UniqueFd writer)
        : directory_(std::move(directory)), name_(std::move(name)), writer_(std::move(writer)) {}

    UniqueFd directory_;
    std::string name_;
    UniqueFd writer_;
};

} // namespace picket::cli
