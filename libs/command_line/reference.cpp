#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/command_line/reference.h>

namespace picket::command_line {
namespace {

constexpr int kUsage = 2;

Release this_release() {
    std::time_t time = std::chrono::system_clock::to_time_t(build::built_at());
    if (const char* given = std::getenv("SOURCE_DATE_EPOCH"))
        time = static_cast<std::time_t>(parse_unsigned(given).value_or(0));
    return {build::version(), fmt::format("{:%Y-%m-%d}", fmt::gmtime(time))};
}

std::optional<std::string> made(const Program& program, std::string_view what) {
    if (what == "manual")
        return manual_page(program, this_release());
    if (what == "markdown")
        return markdown_reference(program);
    if (what == "bash")
        return bash_completion(program);
    if (what == "zsh")
        return zsh_completion(program);
    if (what == "overview")
        return summary_paragraph(program);
    if (what == "examples")
        return examples(program);
    return std::nullopt;
}

} // namespace

std::string summary_paragraph(const Program& program) {
    constexpr std::size_t kLineWidth = 118;
    std::vector<std::pair<std::string, std::vector<std::string>>> groups; // first word: what may follow it
    for (const Verb& verb : program.verbs) {
        const auto blank = verb.words.find(' ');
        const std::string first(verb.words.substr(0, blank));
        if (groups.empty() || groups.back().first != first)
            groups.emplace_back(first, std::vector<std::string>{});
        if (blank != std::string_view::npos)
            groups.back().second.emplace_back(verb.words.substr(blank + 1));
    }
    std::vector<std::string> words;
    for (const auto& [first, rest] : groups) {
        const std::string all = rest.empty() ? first : fmt::format("{} {}", first, join(rest, " | "));
        const std::string quoted = "`" + all + "`"; // outlives the views into it
        for (const std::string_view word : split(quoted, ' '))
            words.emplace_back(word);
    }
    std::string text;
    std::size_t width = 0;
    for (const std::string& word : words) {
        const bool fits = width > 0 && width + 1 + word.size() <= kLineWidth;
        text += width == 0 ? "" : fits ? " " : "\n";
        width = fits ? width + 1 + word.size() : word.size();
        text += word;
    }
    return text + "\n";
}

std::string examples(const Program& program) {
    std::string lines;
    for (const Verb& verb : program.verbs)
        for (const std::string_view example : verb.examples)
            lines += fmt::format("{}\n", example);
    return lines;
}

int print_reference(const Program& program, int argc, char** argv) {
    const auto text = argc == 2 ? made(program, argv[1]) : std::nullopt;
    if (!text) {
        fmt::print(stderr, "usage: {} manual|markdown|bash|zsh|overview|examples\n", argv[0]);
        return kUsage;
    }
    print(*text);
    return flush_output() ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace picket::command_line
