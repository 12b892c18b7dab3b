using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline.Tests
{
    /// <summary>What a library that was built with test hooks exports on top. None that is handed out does.</summary>
    internal static unsafe class Hooks
    {
        internal const uint Here = 1, Task = 2, Pump = 3, Dispatch = 4, Drop = 5;

        [DllImport("moorline", EntryPoint = "moorline_test_panic", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Panic(ulong client, ulong handle, uint where);

        [DllImport("moorline", EntryPoint = "moorline_test_emit", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Emit(ulong client, uint kind, uint count, uint bytes);

        [DllImport("moorline", EntryPoint = "moorline_test_request", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Request(ulong client, ulong handle, ulong* request);

        /// <summary>A request that ends only when it is called off.</summary>
        internal static Task<byte[]> Endless(MoorlineClient client, Session session, CancellationToken token = default(CancellationToken))
        {
            var handle = session == null ? client.Handle : session.Handle;
            return client.Requests.Begin(session, token, (memory, request) => Request(client.Handle, handle, request));
        }
    }

    /// <summary>Says what was expected.</summary>
    internal static class Expect
    {
        internal static void That(bool holds, string what)
        {
            if (!holds)
                throw new Exception("expected " + what);
        }

        internal static void Equal<T>(T expected, T actual)
        {
            if (!EqualityComparer<T>.Default.Equals(expected, actual))
                throw new Exception("expected <" + expected + ">, got <" + actual + ">");
        }

        internal static T Throws<T>(Action action) where T : Exception
        {
            try
            {
                action();
            }
            catch (T e)
            {
                return e;
            }
            throw new Exception("expected a " + typeof(T).Name);
        }

        internal static void Status(Status expected, Action action)
        {
            Equal(expected, Throws<MoorlineException>(action).Status);
        }
    }

    /// <summary>Dispatches until something is the case. The test's own deadline ends it otherwise.</summary>
    internal static class Pump
    {
        internal static void Until(MoorlineClient client, Func<bool> reached)
        {
            while (!reached())
                client.DispatchEvents(20);
        }
    }

    /// <summary>A folder that goes away.</summary>
    internal sealed class Folder : IDisposable
    {
        internal readonly string Path =
            System.IO.Path.Combine(System.IO.Path.GetTempPath(), "moorline-csharp-" + Guid.NewGuid().ToString("N"));

        internal Folder()
        {
            Directory.CreateDirectory(Path);
        }

        /// <summary>A file of bytes that no other file has.</summary>
        internal void Fill(string name, int bytes)
        {
            var path = System.IO.Path.Combine(Path, name);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path));
            var content = new byte[bytes];
            new Random(Guid.NewGuid().GetHashCode()).NextBytes(content);
            File.WriteAllBytes(path, content);
        }

        /// <summary>Names and contents of all files below a folder.</summary>
        internal static string Fingerprint(string folder)
        {
            return string.Join("\n", Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
                .OrderBy(file => file, StringComparer.Ordinal)
                .Select(file => file.Substring(folder.Length) + " " + Convert.ToBase64String(File.ReadAllBytes(file))));
        }

        public void Dispose()
        {
            Directory.Delete(Path, true);
        }
    }

    /// <summary>A room server: the program named by MOORLINE_PROGRAM.</summary>
    internal sealed class Server : IDisposable
    {
        private readonly Folder _home = new Folder();
        private readonly Process _process;

        internal readonly string Url;

        internal Server()
        {
            var program = Environment.GetEnvironmentVariable("MOORLINE_PROGRAM");
            Expect.That(program != null, "MOORLINE_PROGRAM to name the program moorline");
            var start = new ProcessStartInfo(program, "--json --quiet signal --listen 127.0.0.1:0")
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                RedirectStandardInput = true,
            };
            start.EnvironmentVariables["MOORLINE_HOME"] = _home.Path;
            _process = Process.Start(start);
            _process.ErrorDataReceived += (sender, line) => { };
            _process.BeginErrorReadLine();
            var ready = _process.StandardOutput.ReadLine();
            const string Key = "\"listen\":\"";
            var from = ready.IndexOf(Key, StringComparison.Ordinal) + Key.Length;
            Url = "ws://" + ready.Substring(from, ready.IndexOf('"', from) - from);
        }

        internal RoomOptions Room(string room, string name = null)
        {
            return new RoomOptions { Url = Url, Room = room, Name = name };
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
            _home.Dispose();
        }
    }

    /// <summary>Options that keep to this machine.</summary>
    internal static class Quiet
    {
        /// <summary>Nobody listens there; a room tries on until its deadline.</summary>
        internal static RoomOptions Nowhere
        {
            get { return new RoomOptions { Url = "ws://127.0.0.1:9", Room = "nowhere" }; }
        }

        internal static NodeOptions Node
        {
            get { return new NodeOptions { Listen = "127.0.0.1:0", NoMulticast = true }; }
        }
    }

    /// <summary>What the process holds, as the kernel counts it.</summary>
    internal static class Kernel
    {
        internal static int Descriptors
        {
            get { return Directory.GetFileSystemEntries("/proc/self/fd").Length; }
        }

        internal static int Threads
        {
            get { return Directory.GetDirectories("/proc/self/task").Length; }
        }

        /// <summary>Threads that the library started, by their name.</summary>
        internal static int NativeThreads
        {
            get
            {
                return Directory.GetDirectories("/proc/self/task").Count(task =>
                {
                    try
                    {
                        return File.ReadAllText(task + "/comm").StartsWith("moorline", StringComparison.Ordinal);
                    }
                    catch (IOException)
                    {
                        // It ended in this moment.
                        return false;
                    }
                });
            }
        }
    }
}
