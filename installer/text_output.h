#pragma once
#include <picket/command_line/output.h>
#include <picket/install/session.h>
#include <picket/install/transaction.h>

#include "log_file.h"

namespace picket::installer {

/// A line as each step ends; also into the log. Silent (but for the log) where JSON is wanted.
class StepLines final : public install::ProgressSink {
  public:
    StepLines(LogFile& log, bool silent);
    void began(const install::Step& step, std::size_t number, std::size_t total) override;
    void ended(const install::JournalStep& step, std::size_t number, std::size_t total) override;
    void note(const std::string& text) override;

  private:
    LogFile& log_;
    bool silent_;
    command_line::Terminal terminal_;
};

/// What a person wants to see of a report, beside the step lines that were shown already.
std::string text_of(const install::Report& report, const command_line::Terminal& terminal);

} // namespace picket::installer
