namespace Moorline
{
    /// <summary>A client is closed: nothing follows.</summary>
    public sealed class ClientClosed
    {
        internal ClientClosed(RawEvent e)
        {
            Status = e.Status;
            CutOff = e.Text(0);
        }

        /// <summary>Ok, or timeout if something had to be cut off.</summary>
        public Status Status { get; private set; }
        /// <summary>What was cut off, if anything.</summary>
        public string CutOff { get; private set; }
    }

    /// <summary>
    /// Events were dropped because nobody took them in time. Snapshots such as <see cref="Node.Peers"/> bring you up to date.
    /// </summary>
    public sealed class Lagged
    {
        internal Lagged(RawEvent e, Session session)
        {
            Session = session;
            Count = e.Long(0);
        }

        /// <summary>Whose events; null: those of the client, or of a session that is gone.</summary>
        public Session Session { get; private set; }
        /// <summary>How many.</summary>
        public long Count { get; private set; }
    }

    /// <summary>
    /// A defect of the library was contained. What the scope had under way was cancelled before this; the sessions concerned
    /// end after it. Requests made from here on work, in the handler too.
    /// </summary>
    public sealed class Panicked
    {
        internal Panicked(RawEvent e, Session session)
        {
            Session = session;
            Task = e.Text(0);
            Message = e.Text(1);
        }

        /// <summary>The session it was in; null: the client, or a session that is gone.</summary>
        public Session Session { get; private set; }
        /// <summary>The task it was in.</summary>
        public string Task { get; private set; }
        /// <summary>What it said.</summary>
        public string Message { get; private set; }
    }

    /// <summary>How grave a line of the log is.</summary>
    public enum LogLevel
    {
        /// <summary>Nothing is logged.</summary>
        None = 0,
        /// <summary>Something failed.</summary>
        Error = 1,
        /// <summary>Something is not as it should be.</summary>
        Warning = 2,
        /// <summary>What goes on.</summary>
        Info = 3,
        /// <summary>Details.</summary>
        Debug = 4,
        /// <summary>Everything.</summary>
        Trace = 5,
    }

    /// <summary>A line of the log.</summary>
    public sealed class LogLine
    {
        internal LogLine(RawEvent e)
        {
            Level = (LogLevel)e.Int(0);
            Target = e.Text(0);
            Message = e.Text(1);
        }

        /// <summary>How grave it is.</summary>
        public LogLevel Level { get; private set; }
        /// <summary>The part of the library that says it.</summary>
        public string Target { get; private set; }
        /// <summary>What it says.</summary>
        public string Message { get; private set; }
    }

    /// <summary>The end of a node, room or download: its last event.</summary>
    public class SessionEnded
    {
        internal SessionEnded(RawEvent e, int reason)
        {
            Status = e.Status;
            Reason = e.Text(reason);
        }

        /// <summary>Why, for programs.</summary>
        public Status Status { get; private set; }
        /// <summary>Why, for people.</summary>
        public string Reason { get; private set; }
    }
}
