internal import CLinux
internal import Glibc

/// What a worker does with the standard descriptors that carry its protocol.
package struct StandardStreams: ~Copyable, Sendable {
    /// Where messages come in: what was standard input.
    package var input: OwnedDescriptor
    /// Where messages go out: what was standard output.
    package var output: OwnedDescriptor

    /// Private descriptors get numbers from here up, out of the way of code that counts on low
    /// ones.
    package static let minimumPrivateDescriptor: Int32 = 10

    /// Moves standard input and output to private close-on-exec descriptors, puts /dev/null in the
    /// place of the input and standard error in that of the output, so that a `print` anywhere does
    /// no harm, and ignores SIGPIPE. Call it once, first of all.
    package static func takeOver() throws(PipeError) -> StandardStreams {
        ProcessSignals.ignoreBrokenPipe()
        let input = try OwnedDescriptor.duplicate(0, atLeast: minimumPrivateDescriptor)
        let output = try OwnedDescriptor.duplicate(1, atLeast: minimumPrivateDescriptor)
        let number = cl_open("/dev/null", O_RDWR, 0)
        if number < 0 { throw .last(.open) }
        let nothing = OwnedDescriptor(owning: number)
        // Standard error itself may be closed: then text has nowhere to go but must do no harm.
        if fcntl(2, F_GETFD) < 0, dup2(nothing.rawValue, 2) < 0 { throw .last(.duplicate) }
        // Text of before, still in the buffer of C, belongs to standard error too.
        if dup2(nothing.rawValue, 0) < 0 || dup2(2, 1) < 0 { throw .last(.duplicate) }
        return StandardStreams(input: input, output: output)
    }

    /// Hands both descriptors on to `body` and returns what it returns.
    package consuming func split<Value: ~Copyable, Failure: Error>(
        _ body: (_ input: consuming OwnedDescriptor, _ output: consuming OwnedDescriptor)
            throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try body(input, output)
    }
}

/// Signals of this process.
package enum ProcessSignals {
    /// Makes a write to a pipe that nobody reads an error (`closed`) instead of the end of the
    /// process.
    package static func ignoreBrokenPipe() { _ = Glibc.signal(SIGPIPE, SIG_IGN) }
}

/// Ties this process to the one that started it.
package enum ParentDeath {
    /// Asks for SIGKILL when the parent (the thread that spawned us) ends, then looks whether it is
    /// still there. False: `expectedParent` is not our parent (any more); the process should end at
    /// once. nil expects whoever is the parent now.
    package static func arm(expectedParent: Int32? = nil) throws(PipeError) -> Bool {
        let before = getppid()
        if cl_set_parent_death_signal(SIGKILL) != 0 { throw .last(.armParentDeath) }
        // A parent that ended before the call above sends no signal any more, but we then have
        // another parent: the number tells.
        return getppid() == (expectedParent ?? before)
    }
}
