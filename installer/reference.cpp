#include <picket/command_line/reference.h>

#include "verb_table.h"

int main(int argc, char** argv) {
    return picket::command_line::print_reference(picket::installer::program(), argc, argv);
}
