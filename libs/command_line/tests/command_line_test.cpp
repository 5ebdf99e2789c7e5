#include <unistd.h>

#include <doctest/doctest.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/command_line/progress.h>
#include <picket/command_line/verb.h>

using namespace picket;
using namespace picket::command_line;

namespace {

const Program& program() {
    static const Program kProgram{
        .name = "tool",
        .summary = "Does things.",
        .global_options =
            {{.name = "--output", .value = "FORMAT", .help = "how to print", .choices = "text|table|json"}},
        .verbs =
            {
                {.words = "scan quick", .summary = "Scans a little.", .options = {}, .examples = {"tool scan quick"}},
                {.words = "scan custom",
                 .summary = "Scans a path.",
                 .options = {{.name = "--path",
                              .value = "PATH",
                              .help = "what to scan",
                              .required = true,
                              .kind = ValueKind::path},
                             {.name = "--ignore-exclusions", .value = "", .help = "scan those too"},
                             {.name = "--limit",
                              .value = "N",
                              .help = "at most",
                              .kind = ValueKind::integer,
                              .short_name = 'n'}},
                 .examples = {"tool scan custom --path /srv"}},
                {.words = "config",
                 .summary = "Sets.",
                 .options = {{.name = "NAME", .value = "", .help = "what", .required = true},
                             {.name = "--value", .value = "V", .help = "to what"}},
                 .examples = {}},
                {.words = "config show", .summary = "Shows.", .options = {}, .examples = {}},
                {.words = "check",
                 .summary = "Checks files.",
                 .options = {{.name = "FILE", .value = "", .help = "which", .required = true, .repeatable = true},
                             {.name = "--tag", .value = "K=V", .help = "tag", .repeatable = true}},
                 .examples = {}},
            },
        .exit_codes = {{0, "done"}, {2, "usage"}},
    };
    return kProgram;
}

Invocation accepted(const std::vector<std::string>& arguments) {
    auto outcome = parse(program(), arguments);
    INFO(join(arguments, " "));
    INFO((outcome.error ? outcome.error->message : ""));
    REQUIRE(outcome.invocation);
    return std::move(*outcome.invocation);
}

UsageError refused(const std::vector<std::string>& arguments) {
    auto outcome = parse(program(), arguments);
    INFO(join(arguments, " "));
    REQUIRE(outcome.error);
    return *outcome.error;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace

TEST_CASE("options stand before, between and behind the words") {
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"scan", "custom", "--path", "/a", "--output", "json"},
                                               {"--output", "json", "scan", "custom", "--path=/a"},
                                               {"--output=json", "scan", "--path", "/a", "custom"}}) {
        const Invocation invocation = accepted(arguments);
        CHECK(invocation.verb->words == "scan custom");
        CHECK(invocation.get("--path") == "/a");
        CHECK(invocation.get("--output") == "json");
        CHECK_FALSE(invocation.has("--ignore-exclusions"));
    }
    CHECK(accepted({"scan", "custom", "--ignore-exclusions", "--path", "/a", "-n", "5"}).get("--limit") == "5");
    CHECK(accepted({"scan", "custom", "--ignore-exclusions", "--path", "/a"}).has("--ignore-exclusions"));
}

TEST_CASE("values are taken as they are: brackets, commas, spaces, words of other commands, leading dashes behind =") {
    for (const std::string value : {"[a,b]", "a,b", " ", "quick", "help", "-x=1", "\"q\"", "%s", "ä"})
        CHECK(accepted({"scan", "custom", "--path=" + value}).get("--path") == value);
    CHECK(accepted({"config", "a", "--value", ""}).get("--value").empty());
    CHECK(accepted({"config", "a", "--value", ""}).has("--value"));
}

TEST_CASE("a verb that is also the beginning of another") {
    CHECK(accepted({"config", "show"}).verb->words == "config show");
    const Invocation set = accepted({"config", "scan-archives", "--value", "true"});
    CHECK(set.verb->words == "config");
    CHECK(set.get("NAME") == "scan-archives");
}

TEST_CASE("repeatable options and arguments keep their order; others are refused twice") {
    const Invocation many = accepted({"check", "--tag", "a=1", "x", "--tag", "b=2", "y", "--", "--z"});
    CHECK(many.all("FILE") == std::vector<std::string>{"x", "y", "--z"});
    CHECK(many.all("--tag") == std::vector<std::string>{"a=1", "b=2"});
    CHECK(contains(refused({"scan", "custom", "--path", "a", "--path", "b"}).message, "2 times"));
}

TEST_CASE("mistakes say what was meant") {
    CHECK(contains(refused({"scann", "quick"}).fix, "did you mean \"scan\""));
    CHECK(contains(refused({"scan", "quik"}).fix, "did you mean \"scan quick\""));
    CHECK(contains(refused({"scan", "custom", "--pth", "/a"}).fix, "did you mean \"--path\""));
    CHECK(contains(refused({"scan", "quick", "--otput", "json"}).fix, "did you mean \"--output\""));
    CHECK(contains(refused({"--output", "jsn", "scan", "quick"}).message, "did you mean json"));
    CHECK(contains(refused({"scan"}).message, "quick, custom"));
    CHECK(contains(refused({}).fix, "--help"));
    CHECK(contains(refused({"scan", "custom"}).message, "--path"));
    CHECK(contains(refused({"scan", "custom", "--path"}).message, "--path"));
    CHECK(contains(refused({"scan", "custom", "--path", "/a", "--limit", "many"}).message, "number"));
    CHECK(contains(refused({"scan", "custom", "--path", ""}).message, "empty"));
    CHECK(contains(refused({"scan", "quick", "surplus"}).message, "surplus"));
    refused({"zzz"});
    refused({""});
}

TEST_CASE("help: for the program, a group and a verb, by word and by option") {
    const auto help = [](const std::vector<std::string>& arguments) {
        auto outcome = parse(program(), arguments);
        REQUIRE(outcome.help);
        for (const std::string_view line : split(*outcome.help, '\n'))
            CHECK(display_width(line) <= 80);
        return *outcome.help;
    };
    CHECK(contains(help({"--help"}), "Exit codes: 0 done, 2 usage."));
    CHECK(help({"help"}) == help({"-h"}));
    CHECK(contains(help({"scan", "--help"}), "scan custom"));
    CHECK_FALSE(contains(help({"scan", "--help"}), "config show"));
    const std::string verb = help({"scan", "custom", "--help"});
    CHECK(contains(verb, "tool scan custom --path /srv"));
    CHECK(contains(verb, "what to scan"));
    CHECK(help({"help", "scan", "custom"}) == verb);
}

TEST_CASE("the wanted format is seen even in a wrong command line") {
    CHECK(peek_option({"scann", "--output", "json"}, "--output") == "json");
    CHECK(peek_option({"--output=json", "x"}, "--output") == "json");
    CHECK(peek_option({"--", "--output", "json"}, "--output").empty());
}

TEST_CASE("absolute_path reads no link and resolves what is certain") {
    REQUIRE(::chdir("/usr/bin") == 0);
    CHECK(absolute_path("/a//b/./c/") == "/a/b/c");
    CHECK(absolute_path("x") == "/usr/bin/x");
    CHECK(absolute_path("../x") == "/usr/x");
    CHECK(absolute_path("../../../x") == "/x");
    CHECK(absolute_path("/a/../b") == "/a/../b");
    CHECK(absolute_path("/") == "/");
    CHECK(absolute_path(".") == "/usr/bin");
}

TEST_CASE("display width and shortening of UTF-8") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("äöü") == 3);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("e\u0301") == 1);
    CHECK(shorten_middle("/srv/data/very/long/name.txt", 15) == "/srv/da…ame.txt");
    CHECK(shorten_end("abcdef", 4) == "abc…");
    CHECK(shorten_end("abc", 3) == "abc");
    for (int width = 0; width < 20; ++width) {
        CHECK(display_width(shorten_middle("日本語/äöü/日本語日本語", width)) <= width);
        CHECK(is_valid_utf8(shorten_middle("日本語/äöü/日本語日本語", width)));
        CHECK(display_width(shorten_end("日本語/äöü/日本語日本語", width)) <= width);
    }
}

TEST_CASE("a table fits the width, keeps what must not shrink, and passes no control character") {
    const std::vector<Column> columns = {{.field = "id", .title = "ID"},
                                         {.field = "path", .title = "PATH", .shrink = Shrink::middle},
                                         {.field = "count", .title = "COUNT", .right = true}};
    data::Json row = {{"id", "0123456789abcdef"}, {"count", 12}};
    data::set_path(row, "path", "/srv/\x1b[31mred\x07/" + std::string(200, 'x') + "/\xff-end");
    const std::string text = render_table(columns, data::Json::array({row, {{"id", "1"}}}), Terminal{.width = 60});
    for (const std::string_view line : split(text, '\n'))
        CHECK(display_width(line) <= 60);
    CHECK(contains(text, "0123456789abcdef"));
    CHECK(contains(text, "-end"));
    CHECK_FALSE(contains(text, "\x1b"));
    CHECK_FALSE(contains(text, "\x07"));
    CHECK(contains(text, "COUNT"));
}

TEST_CASE("a table leaves out optional columns rather than cut the others beyond reading") {
    const std::vector<Column> columns = {{.field = "id", .title = "ID"},
                                         {.field = "name", .title = "NAME", .shrink = Shrink::end},
                                         {.field = "count", .title = "COUNT", .right = true, .optional = true},
                                         {.field = "path", .title = "PATH", .shrink = Shrink::middle}};
    const data::Json rows = data::Json::array({{{"id", "0123456789abcdef"},
                                                {"name", "Eicar-Test-Signature"},
                                                {"count", 12},
                                                {"path", "/srv/upload/2026/11/25/" + std::string(40, 'x')}}});
    const std::string narrow = render_table(columns, rows, Terminal{.width = 62});
    CHECK_FALSE(contains(narrow, "COUNT"));
    CHECK(contains(narrow, "Eicar-Test-Signature"));
    CHECK(contains(render_table(columns, rows, Terminal{.width = 80}), "COUNT"));
}

TEST_CASE("fields: aligned, ordered, flattened, escaped") {
    const data::Json object = {
        {"b", true}, {"a", "x\ny"}, {"tags", {{"site", "one"}}}, {"list", {"p", "q"}}, {"empty", nullptr}};
    CHECK(render_fields(object, {"b"}) == "b         : true\n"
                                          "a         : x\\x0ay\n"
                                          "empty     : \n"
                                          "list      : p, q\n"
                                          "tags.site : one\n");
}

TEST_CASE("an envelope is one line") {
    CHECK(envelope("health", {{"a", "x\ny"}}) == "{\"data\":{\"a\":\"x\\ny\"},\"kind\":\"health\",\"schema\":1}\n");
}

TEST_CASE("a progress line fits, whatever is in it") {
    for (const int width : {20, 40, 80, 200})
        for (const double done : {-1.0, 0.0, 0.5, 1.0, 7.0})
            for (unsigned turn = 0; turn < 40; ++turn) {
                const std::string line =
                    ProgressBar::line(done, turn, "12 files\x1b", "/a/\x07/" + std::string(300, 'y'), width);
                CHECK(display_width(line) < width);
                CHECK_FALSE(contains(line, "\x1b"));
            }
}
