// Package watch tells that something changed in some folders or files, and
// nothing else: not what, not how. Whoever listens reads everything again and
// compares contents.
//
// # What is seen
//
// Besides the folders themselves it watches every directory in which their
// paths are looked up, symbolic links followed one by one, and the targets of
// links inside the folders. So it sees a folder or file that appears later, is
// renamed, replaced or re-created, a link that is turned to another target, as
// Kubernetes does for a ConfigMap (..data), and an edit of a file behind a link.
//
// Signals are levels, not edges: any number of changes make one signal, after a
// quiet period and at the latest after a maximum delay. A slow tick signals
// without a change, in case an event was lost or, as on network file systems,
// never sent. If the kernel refuses watches, for example because there are too
// many (fs.inotify.max_user_watches), the watcher polls instead and says so.
package watch
