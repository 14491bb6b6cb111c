#include "proxy/cli/commands.h"

int main(int argc, char** argv) { return telltale::proxy::run_command(argc, argv); }
