#pragma once
#include <string>

namespace picket {

/// The test string of EICAR, which is harmless and which every engine calls malware. Put together at run time: no file
/// of ours may itself be one that engines find. https://www.eicar.org/download-anti-malware-testfile/
std::string test_pattern();

} // namespace picket
