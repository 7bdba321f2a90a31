# Runs until it is told to stop.
# As a command, so that a container definition can give another one.
FROM scratch
COPY busybox /bin/busybox
CMD ["/bin/busybox", "sh", "-c", "trap 'exit 0' TERM INT; while :; do /bin/busybox sleep 3600 & wait; done"]
