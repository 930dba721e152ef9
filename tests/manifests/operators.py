"""The part of the operators' custom resources that we use, of those whose definitions no package registry has.

Read off the operators' types: RabbitMQ cluster operator v1beta1, MariaDB operator v1alpha1, CloudNativePG v1 and its
plugin Barman Cloud v1.
"""

from collections.abc import Mapping
from typing import Any

from tests.manifests.kustomized import Object

TEXT, NUMBER, YES_NO, ANY = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"type": "object"}
SIZE = {"type": "string", "pattern": r"^[0-9]+(Mi|Gi|Ti)$"}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def _fields(*required: str, **fields: Any) -> Mapping[str, Any]:
    """An object with these fields and no others."""
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


SECRET_KEY = _fields("name", "key", name=TEXT, key=TEXT, generate=YES_NO)
METADATA = _fields(labels=TEXTS, annotations=TEXTS)
NAMED = _fields("name", name=TEXT)
PLUGIN = _fields("name", name=TEXT, isWALArchiver=YES_NO, parameters=TEXTS)
POD_SECURITY = _fields(
    runAsNonRoot=YES_NO,
    runAsUser=NUMBER,
    runAsGroup=NUMBER,
    fsGroup=NUMBER,
    fsGroupChangePolicy={"enum": ["OnRootMismatch", "Always"]},
    seccompProfile=_fields("type", type=TEXT),
)
SECURITY = _fields(
    allowPrivilegeEscalation=YES_NO, capabilities=_fields(drop={"type": "array", "items": TEXT}), runAsNonRoot=YES_NO
)

SPECS = {
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): _fields(
        "replicas",
        image=TEXT,
        replicas=NUMBER,
        terminationGracePeriodSeconds=NUMBER,
        persistence=_fields(storage=SIZE, storageClassName=TEXT),
        resources=ANY,
        affinity=ANY,
        rabbitmq=_fields(additionalConfig=TEXT, additionalPlugins={"type": "array", "items": TEXT}),
        override=_fields(statefulSet=ANY, service=ANY),
    ),
    ("k8s.mariadb.com/v1alpha1", "MariaDB"): _fields(
        "storage",
        image=TEXT,
        replicas=NUMBER,
        rootPasswordSecretKeyRef=SECRET_KEY,
        username=TEXT,
        passwordSecretKeyRef=SECRET_KEY,
        database=TEXT,
        podSecurityContext=POD_SECURITY,
        securityContext=SECURITY,
        galera=_fields(
            enabled=YES_NO,
            agent=_fields(securityContext=SECURITY),
            initContainer=_fields("image", image=TEXT, securityContext=SECURITY),
        ),
        updateStrategy=_fields(autoUpdateDataPlane=YES_NO),
        bootstrapFrom=_fields(
            backupRef=_fields("name", name=TEXT, kind={"enum": ["Backup", "PhysicalBackup"]}),
            targetRecoveryTime=TEXT,
            restoreJob=_fields(metadata=METADATA),
        ),
        inheritMetadata=METADATA,
        myCnf=TEXT,
        affinity=_fields(antiAffinityEnabled=YES_NO),
        podDisruptionBudget=_fields(maxUnavailable=NUMBER),
        storage=_fields("size", size=SIZE),
        resources=ANY,
        metrics=_fields(enabled=YES_NO, exporter=_fields(podSecurityContext=POD_SECURITY, securityContext=SECURITY)),
    ),
    ("k8s.mariadb.com/v1alpha1", "User"): _fields(
        "mariaDbRef",
        mariaDbRef=NAMED,
        name=TEXT,
        passwordSecretKeyRef=SECRET_KEY,
        # 0 would be lost on the way: the operator leaves it out when it writes, and the default is 10
        maxUserConnections={"type": "integer", "minimum": 1},
    ),
    ("k8s.mariadb.com/v1alpha1", "Grant"): _fields(
        *("mariaDbRef", "privileges", "username"),
        mariaDbRef=NAMED,
        username=TEXT,
        database=TEXT,
        table=TEXT,
        privileges={"type": "array", "items": TEXT, "minItems": 1},
    ),
    ("k8s.mariadb.com/v1alpha1", "PhysicalBackup"): _fields(
        *("mariaDbRef", "storage"),
        mariaDbRef=NAMED,
        schedule=_fields("cron", cron=TEXT),
        storage=_fields(
            s3=_fields(
                *("bucket", "endpoint"),
                bucket=TEXT,
                prefix=TEXT,
                endpoint=TEXT,
                accessKeyIdSecretKeyRef=SECRET_KEY,
                secretAccessKeySecretKeyRef=SECRET_KEY,
                tls=_fields(enabled=YES_NO),
            )
        ),
        inheritMetadata=METADATA,
        podSecurityContext=POD_SECURITY,
        securityContext=SECURITY,
    ),
    ("k8s.mariadb.com/v1alpha1", "Connection"): _fields(
        *("mariaDbRef", "username", "passwordSecretKeyRef"),
        mariaDbRef=_fields("name", name=TEXT),
        username=TEXT,
        passwordSecretKeyRef=SECRET_KEY,
        database=TEXT,
        host=TEXT,
        secretName=TEXT,
        secretTemplate=_fields(key=TEXT, format=TEXT),
        healthCheck=_fields(interval=TEXT, retryInterval=TEXT),
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): _fields(
        *("instances", "storage"),
        instances=NUMBER,
        imageName=TEXT,
        primaryUpdateStrategy={"enum": ["unsupervised", "supervised"]},
        postgresql=_fields(
            synchronous=_fields("method", "number", method={"enum": ["any", "first"]}, number=NUMBER),
            parameters=TEXTS,
        ),
        bootstrap=_fields(
            initdb=_fields(database=TEXT, owner=TEXT, encoding=TEXT, localeCollate=TEXT, localeCType=TEXT),
            recovery=_fields("source", source=TEXT, database=TEXT, owner=TEXT),
        ),
        externalClusters={"type": "array", "items": _fields("name", name=TEXT, plugin=PLUGIN)},
        plugins={"type": "array", "items": PLUGIN},
        inheritedMetadata=METADATA,
        affinity=_fields(topologyKey=TEXT, podAntiAffinityType={"enum": ["preferred", "required"]}),
        storage=_fields("size", size=SIZE, storageClass=TEXT),
        walStorage=_fields("size", size=SIZE, storageClass=TEXT),
        resources=ANY,
        monitoring=_fields(enablePodMonitor=YES_NO),
    ),
    ("postgresql.cnpg.io/v1", "ScheduledBackup"): _fields(
        *("schedule", "cluster"),
        # of six parts: seconds come first
        schedule={"type": "string", "pattern": r"^(\S+ ){5}\S+$"},
        cluster=NAMED,
        method={"enum": ["plugin", "volumeSnapshot"]},
        pluginConfiguration=_fields("name", name=TEXT, parameters=TEXTS),
    ),
    ("barmancloud.cnpg.io/v1", "ObjectStore"): _fields(
        "configuration",
        configuration=_fields(
            "destinationPath",
            destinationPath=TEXT,
            endpointURL=TEXT,
            s3Credentials=_fields(accessKeyId=SECRET_KEY, secretAccessKey=SECRET_KEY),
        ),
        retentionPolicy=TEXT,
    ),
}


def schema(each: Object) -> Mapping[str, Any]:
    """How an object has to look. Raises `KeyError` for a kind that nobody knows."""
    spec = SPECS[each["apiVersion"], each["kind"]]
    return _fields("spec", apiVersion=TEXT, kind=TEXT, metadata=ANY, spec=spec)
