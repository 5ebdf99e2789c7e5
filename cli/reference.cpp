#include <picket/command_line/reference.h>

#include "context.h"

int main(int argc, char** argv) {
    return picket::command_line::print_reference(picket::cli::program(), argc, argv);
}
