import Commands
import Foundation

exit(await SluiceProgram.run(Array(CommandLine.arguments.dropFirst())))
