using System;
using System.Linq;
using Moorline.Unity;
using UnityEngine;

namespace Moorline.Tests
{
    public static class UnityTests
    {
        [Test]
        public static void The_pump_dispatches_once_a_frame_and_outlives_scenes()
        {
            var client = new MoorlineClient();
            var told = 0;
            client.Log += line => told++;
            var pump = MoorlinePump.Attach(client);
            Expect.That(UnityEngine.Object.Kept.Count > 0, "its object to be kept between scenes");
            MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 3, 0));
            Expect.Equal(0, told);
            UnityEngine.Object.Send(pump, "Update");
            Expect.Equal(3, told);
            UnityEngine.Object.Send(pump, "OnDestroy");
            Expect.That(client.IsClosed, "the client to be closed with the pump");
            UnityEngine.Object.Send(pump, "Update");
        }

        [Test]
        public static void Quitting_closes_the_client_once_and_leaves_no_hook()
        {
            var before = Application.Listeners;
            var client = new MoorlineClient();
            var closed = 0;
            client.Closed += end => closed++;
            var pump = MoorlinePump.Attach(client, 500);
            Expect.Equal(before + 1, Application.Listeners);
            Application.Quit();
            Expect.Equal(1, closed);
            UnityEngine.Object.Send(pump, "OnDestroy");
            Expect.Equal(1, closed);
            Expect.Equal(before, Application.Listeners);
        }

        [Test]
        public static void A_reload_of_assemblies_closes_the_client_and_the_next_one_works()
        {
            for (var i = 0; i < 2; i++)
            {
                var client = new MoorlineClient();
                var pump = MoorlinePump.Attach(client);
                var node = client.StartNode(Quiet.Node);
                while (!node.WhenStarted.IsCompleted)
                    UnityEngine.Object.Send(pump, "Update");
                UnityEditor.AssemblyReloadEvents.Reload();
                Expect.That(client.IsClosed && node.IsEnded, "everything to be closed");
            }
        }

        [Test]
        public static void What_handlers_throw_is_on_the_console()
        {
            var client = new MoorlineClient();
            var pump = MoorlinePump.Attach(client);
            client.Log += line => { throw new FormatException("bad handler"); };
            MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 1, 0));
            UnityEngine.Object.Send(pump, "Update");
            Expect.That(Debug.Console.Any(e => e.Message == "bad handler"), "the exception on the console");
            pump.Close();
        }
    }
}
