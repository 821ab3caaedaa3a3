import Encryption
import Glibc
import Keys
import Processors
import WorkerRuntime

guard ProcessMemory.protect() else {
    perror("core dumps can't be turned off, which would hold keys")
    exit(2)
}
PartMemory.keep()
WorkerMain.run(processors: standardProcessors + encryptionProcessors, keepsFramesSecret: true)
