import Commands
import Glibc

exit(await SluiceProgram.run(Array(CommandLine.arguments.dropFirst())))
