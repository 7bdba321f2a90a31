# Exits with code 1 as soon as it has started.
# As a command, so that a container definition can give another one.
FROM scratch
COPY busybox /bin/busybox
CMD ["/bin/busybox", "sh", "-c", "exit 1"]
