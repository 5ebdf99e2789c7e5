#pragma once
#include <picket/definitions/store.h>

namespace picket::definitions {

Result<Generation> parse_manifest(const std::string& name, std::string_view text);

/// Signatures in a database, counted as its bytes pass.
class SignatureCounter {
  public:
    explicit SignatureCounter(std::string_view file_name);
    void update(std::string_view bytes);
    std::uint64_t count() const;

  private:
    bool container_;
    std::string header_; ///< of a container: its first 512 bytes say how many
    std::uint64_t lines_ = 0;
    bool line_is_empty_ = true;
    bool line_is_comment_ = false;
};

} // namespace picket::definitions
