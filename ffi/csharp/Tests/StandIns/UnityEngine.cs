// As much of Unity as the layer for it uses, so that it is compiled and run where no Unity is.

using System;
using System.Collections.Generic;
using System.Reflection;

namespace UnityEngine
{
    public class Object
    {
        public static readonly List<Object> Kept = new List<Object>();

        public static void DontDestroyOnLoad(Object target)
        {
            Kept.Add(target);
        }

        /// <summary>Unity calls such methods by name, however private they are.</summary>
        public static void Send(Object target, string message)
        {
            target.GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic).Invoke(target, null);
        }
    }

    public class Component : Object
    {
    }

    public class MonoBehaviour : Component
    {
    }

    public sealed class GameObject : Object
    {
        public GameObject(string name)
        {
        }

        public T AddComponent<T>() where T : Component, new()
        {
            return new T();
        }
    }

    public sealed class SerializeField : Attribute
    {
    }

    public static class Application
    {
        public static bool isPlaying = true;

        public static event Action quitting;

        /// <summary>The player quits.</summary>
        public static void Quit()
        {
            if (quitting != null)
                quitting();
        }

        public static int Listeners
        {
            get { return quitting == null ? 0 : quitting.GetInvocationList().Length; }
        }
    }

    public static class Debug
    {
        public static readonly List<Exception> Console = new List<Exception>();

        public static void Log(object message)
        {
        }

        public static void LogException(Exception exception)
        {
            Console.Add(exception);
        }
    }
}

namespace UnityEditor
{
    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();

        public static event AssemblyReloadCallback beforeAssemblyReload;

        /// <summary>A script was changed.</summary>
        public static void Reload()
        {
            if (beforeAssemblyReload != null)
                beforeAssemblyReload();
        }
    }
}
