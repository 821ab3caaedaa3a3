import Encryption
import Processors
import WorkerRuntime

// What goes wrong before the protocol begins is asked for by the environment; the rest by settings.
StartFault.commit()
WorkerMain.run(
    processors: standardProcessors + encryptionProcessors + [Faulty.self, Slow.self, Twice.self])
