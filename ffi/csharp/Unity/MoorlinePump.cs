using System;
using UnityEngine;

namespace Moorline.Unity
{
    /// <summary>
    /// Dispatches the events of a client on the main thread, once a frame, and closes it before its code or its process goes
    /// away: when the game quits, when play mode ends, before the editor reloads assemblies, and when this component is
    /// destroyed.
    /// </summary>
    public sealed class MoorlinePump : MonoBehaviour
    {
        /// <summary>The client.</summary>
        public MoorlineClient Client { get; private set; }

        /// <summary>Milliseconds that closing may take: a game that quits should not seem to hang.</summary>
        public int CloseDeadlineMs { get; private set; }

        /// <summary>
        /// Makes a pump for a client, in an object of its own that outlives scenes. What event handlers throw goes to the
        /// console from here on.
        /// </summary>
        public static MoorlinePump Attach(MoorlineClient client, int closeDeadlineMs = 1000)
        {
            if (client == null)
                throw new ArgumentNullException("client");
            var holder = new GameObject("Moorline");
            if (Application.isPlaying)
                DontDestroyOnLoad(holder);
            var pump = holder.AddComponent<MoorlinePump>();
            pump.Client = client;
            pump.CloseDeadlineMs = closeDeadlineMs;
            client.HandlerFailed += Debug.LogException;
            Application.quitting += pump.Close;
#if UNITY_EDITOR
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload += pump.Close;
#endif
            return pump;
        }

        /// <summary>Closes the client, raising its last events. Again changes nothing.</summary>
        public void Close()
        {
            Application.quitting -= Close;
#if UNITY_EDITOR
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload -= Close;
#endif
            // Null where Unity makes the component, as when a scene with it is loaded.
            if (Client == null || Client.IsClosing)
                return;
            try
            {
                Client.Close(CloseDeadlineMs);
            }
            catch (Exception e)
            {
                Debug.LogException(e);
            }
        }

        private void Update()
        {
            if (Client == null)
                return;
            try
            {
                Client.DispatchEvents();
            }
            catch (Exception e)
            {
                Debug.LogException(e);
            }
        }

        private void OnDestroy()
        {
            Close();
        }
    }
}
