using System;

namespace Moorline
{
    /// <summary>Something that Moorline could not do: which <see cref="Status"/>, and a sentence for people.</summary>
    public sealed class MoorlineException : Exception
    {
        internal MoorlineException(Status status, string message)
            : base(string.IsNullOrEmpty(message) ? Native.StatusName((int)status) : message + " (" + Native.StatusName((int)status) + ")")
        {
            Status = status;
        }

        /// <summary>What went wrong, for programs.</summary>
        public Status Status { get; private set; }

        /// <summary>Throws unless <paramref name="status"/> is ok. For functions that say nothing but a status.</summary>
        internal static void Check(int status)
        {
            if (status != Native.OK)
                throw new MoorlineException((Status)status, null);
        }
    }
}
