/// The members of PvaPy 5.6.0 that the table of `Docs/Reference/PvaPy.md` has to name.
enum Ancestor {
    static let members: KeyValuePairs<String, [String]> = [
        "UserDataProcessor": [
            "__init__(configDict)", "logger", "processorId", "objectIdField", "pvaServer",
            "dataPublisher", "outputChannel", "inputChannel", "metadataQueueMap", "start()",
            "configure(configDict)", "process(pvObject)", "stop()", "resetStats()", "getStats()",
            "getStatsPvaTypes()", "getInputPvObjectType()", "getOutputPvObjectType(pvObject)",
            "updateOutputChannel(pvObject)",
        ],
        "AdImageProcessor": [
            "reshapeNtNdArray(nd)", "getNtNdArrayDataFieldKey(array)",
            "generateNtNdArray2D(imageId, image, nx, ny, dtype, compressorName, extraFieldsPvObject)",
            "replaceNtNdArrayImage2D(nd, imageId, image, extra)", "getInputPvObjectType()",
        ],
        "AdOutputFileProcessor": [
            "outputDirectory", "outputFileNameFormat", "nFilesSaved", "nBytesSaved",
            "fileProcessingTime", "fileProcessingRate", "dataStorageRateMBps",
        ],
        "DataEncryptor": [
            "privateKeyFilePath", "sign", "process(pvObject)", "nEncrypted", "processingTime",
            "processingRate",
        ],
        "DataDecryptor": [
            "privateKeyFilePath", "verify", "process(pvObject)", "nDecrypted", "processingTime",
            "processingRate",
        ],
        "UserMpDataProcessor": [
            "__init__(processorId=1)", "start()", "configure(configDict)", "process(mpqObject)",
            "stop()", "resetStats()", "getStats()",
        ],
        "UserMpWorker": [
            "__init__(workerId, processor, reqQ, respQ, inQ, logLevel, logFile)", "run()",
            "start()", "configure(configDict)", "getStats()", "resetStats()", "stop()",
            "request get_stats", "request reset_stats", "request configure", "request stop",
            "requestId", "returnCode", "returnValue", "error",
        ],
        "UserMpWorkerController": [
            "__init__(workerId, processor, inQ, logLevel, logFile)", "start()",
            "configure(configDict)", "getStats(prefix)", "resetStats()", "stop(prefix)",
            "ProcessNotResponding", "queue time-out 1.0 s", "join(1.0), then kill()",
        ],
        "HpcController": [
            "WAIT_TIME", "MIN_STATUS_UPDATE_PERIOD", "COMMAND_EXEC_DELAY", "return codes 0, 1",
            "configure command", "reset_stats command", "get_stats command", "stop command",
            "configure()", "start()", "reportStats()", "getStats()", "stop()",
        ],
    ]

    /// The keys of its statistics, by group.
    static let keys: KeyValuePairs<String, [String]> = [
        "top": [
            "consumerId", "collectorId", "inputChannel", "objectId", "objectTime",
            "objectTimestamp",
        ],
        "receiverStats": [
            "nReceived", "receivedRate", "nRejected", "rejectedRate", "nErrors", "errorRate",
            "nOverruns", "overrunRate",
        ],
        "publisherStats": ["nPublished", "publishedRate", "nErrors", "errorRate"],
        "queueStats": ["nReceived", "nRejected", "nDelivered", "nQueued"],
        "processorStats": [
            "runtime", "startTime", "endTime", "receivingTime", "firstObjectTime",
            "lastObjectTime", "firstObjectId", "lastObjectId", "nProcessed", "nErrors", "nMissed",
            "processedRate", "errorRate", "missedRate",
        ],
        "userStats": ["userStats"],
        "collectorStats": [
            "nCollected", "nRejected", "nMissed", "nCached", "collectedRate", "rejectedRate",
            "missedRate",
        ],
        "producerStats": ["producerId", "channel", "receiverStats", "queueStats"],
        "metadataStats": ["metadataStats"],
        "mirror server": ["nReceived", "nOverruns"],
    ]
}
