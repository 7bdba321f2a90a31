# Runs until it is told to stop, and takes 40 seconds to do so.
# As a command, so that a container definition can give another one.
FROM scratch
COPY busybox /bin/busybox
CMD ["/bin/busybox", "sh", "-c", "trap '/bin/busybox sleep 40; exit 0' TERM INT; while :; do /bin/busybox sleep 3600 & wait; done"]
