#pragma once
#include <string>
#include <string_view>

#include <picket/profile/validate.h>

namespace picket::profile {

struct OneFile {
    Validation validation; ///< as validate() gives it, but without a word on `extends`
    data::Json extends;    ///< what stands there, of whatever type; null where the file has no such key
};
OneFile validate_one(std::string_view text, Format format, const std::string& file, Layer layer = Layer::managed);

} // namespace picket::profile
