#include <picket/trust/bundle.h>

#include <picket/base/text.h>
#include <picket/crypto/digest.h>

#include "bundle_limits.h"

namespace picket::trust {
namespace {

class WantedFiles final : public archive::EntrySink {
  public:
    explicit WantedFiles(const std::function<bool(const std::string&)>& wanted) : wanted_(wanted) {}
    Result<void> begin(const std::string& name) override {
        content_ = wanted_(name) ? &files[name] : nullptr;
        return {};
    }
    Result<void> data(ByteSpan bytes) override {
        if (content_ != nullptr)
            content_->append(as_text(bytes));
        return {};
    }
    Result<void> end() override { return {}; }

    std::map<std::string, std::string> files;

  private:
    const std::function<bool(const std::string&)>& wanted_;
    std::string* content_ = nullptr;
};

} // namespace

Result<BundleContents> read_bundle(int fd, const BundleOptions& options,
                                   const std::function<bool(const std::string&)>& wanted) {
    BundleContents contents{PICKET_TRY(verify_bundle(fd, options)), {}};
    WantedFiles sink(wanted);
    PICKET_TRY(archive::read(fd, archive::Format::tar_gz, bundle_limits(), sink));
    // The file is read twice: what was verified is what counts.
    for (const BundleFile& file : contents.bundle.manifest.files) {
        const auto found = sink.files.find(file.name);
        if (found == sink.files.end())
            continue;
        if (crypto::sha256_hex(found->second) != file.sha256)
            return Error(ErrorCode::corrupt, file.name + " changed while it was read");
        contents.files.insert(sink.files.extract(found));
    }
    return contents;
}

} // namespace picket::trust
