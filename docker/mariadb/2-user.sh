# shellcheck shell=bash
# Sourced once by the mariadb image's entry point (so it must not be executable): the producer's
# user, who may read the table and nothing else.
docker_process_sql --database=kafkacam <<END
CREATE USER 'kafkacam'@'%' IDENTIFIED BY '$(tr -d "'\\\\\r\n" </run/secrets/database_password)';
GRANT SELECT ON kafkacam.cameras TO 'kafkacam'@'%';
END
