import WorkerRuntime

WorkerMain.run(processors: [])
