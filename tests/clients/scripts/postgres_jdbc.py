"""JDBC with PostgreSQL's driver (Debian's libpostgresql-jdbc-java), in this process's JVM."""

import socket
import threading
from datetime import date
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import jpype
from tasks import run, write_rows

jpype.startJVM(classpath=["/usr/share/java/postgresql.jar"])


def relay(path):
    """Open a port for the server's socket, which is a file that Java's drivers cannot open."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def serve():
        while True:
            near, _ = listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(path)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Client:
    def __init__(self, address):
        folder = parse_qs(urlsplit(address).query)["host"][0]
        url = f"jdbc:postgresql://127.0.0.1:{relay(f'{folder}/.s.PGSQL.5432')}/postgres"
        # begin connect
        self.connection = jpype.java.sql.DriverManager.getConnection(url, "postgres", "-")
        self.connection.setReadOnly(True)
        # end connect
        self.version = f"postgresql {self.connection.getMetaData().getDriverVersion()}"

    def query(self, sql):
        found = self.connection.createStatement().executeQuery(sql)
        columns = range(1, found.getMetaData().getColumnCount() + 1)
        rows = []
        while found.next():
            rows.append(tuple(plain(found.getObject(at)) for at in columns))
        return rows

    def export(self, sql, path):
        return write_rows(self.query(sql), path)


def plain(value):
    """Convert a Java value to the Python value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, jpype.java.math.BigDecimal):
        return Decimal(str(value.toPlainString()))
    if isinstance(value, jpype.java.lang.Boolean):
        return bool(value)
    if isinstance(value, jpype.java.lang.Number):
        return int(value)
    text = str(value)
    return date.fromisoformat(text) if isinstance(value, jpype.java.sql.Date) else text


def tables(client):
    """The tables that the driver lists, each with its primary key unless it is one of dlt's."""
    described = client.connection.getMetaData()
    found = described.getTables(None, "harvest", "%", ["TABLE"])
    names = []
    while found.next():
        name = str(found.getString("TABLE_NAME"))
        assert name.startswith("_dlt") or described.getPrimaryKeys(None, "harvest", name).next()
        names.append(name)
    return sorted(names)


run(Client, list=tables)
