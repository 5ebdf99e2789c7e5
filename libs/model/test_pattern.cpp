#include <picket/model/test_pattern.h>

namespace picket {

std::string test_pattern() {
    return std::string(R"(X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-)") + "ANTIVIRUS-TEST-FILE!$H+H*";
}

} // namespace picket
